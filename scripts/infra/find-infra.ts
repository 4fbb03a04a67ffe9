import { join } from 'node:path';
import { dockerAnswers, startKafkaContainer, startPostgresContainer } from './containers.ts';
import { startEmbeddedKafka } from './embedded-kafka.ts';
import { startEmbeddedPostgres } from './embedded-postgres.ts';
import { checkJava, ensureKafkaJars, type Say } from './kafka-jars.ts';
import type { ProxiedListener } from './kafka-settings.ts';
import type { SecuredServers } from './secured-infra.ts';
import type { ServerProcess } from './server-process.ts';

export type Infra = {
  readonly name: 'Kafka' | 'Postgres';
  readonly address: string;
  readonly from: 'environment' | 'container' | 'embedded';
  /** Ends it in order, or at once when `hurry` aborts. What came from the environment is left alone. Safe twice. */
  stop(hurry: AbortSignal): Promise<void>;
};

export type InfraOptions = {
  readonly root: string;
  /** Holds data and logs; kept between runs unless `shortLived`. */
  readonly dir: string;
  readonly shortLived: boolean;
  readonly signal: AbortSignal;
  readonly say: Say;
  /** Told of every process of ours as soon as there is one, ready or not. */
  readonly onSpawn: (name: Infra['name'], pid: number) => void;
  /** For tests that cut Kafka off from one service; only an embedded broker has it. */
  readonly proxied?: ProxiedListener;
  /** TLS, SASL and rules of access beside the plain ports; only embedded servers have them. */
  readonly secured?: SecuredServers;
  /** With the extension `pg_stat_statements` at hand, for tests that count what reaches Postgres. */
  readonly countsStatements?: boolean;
};

const STOP_GRACE_MS = 15_000;
const COUNTING = { shared_preload_libraries: 'pg_stat_statements' } as const;

/** Kafka from the environment, else from a container, else embedded. Throws one line that says what to install. */
export async function findKafka(options: InfraOptions): Promise<Infra> {
  const given = process.env.KAFKA_BROKERS;
  if (given) return fromEnvironment('Kafka', given);
  const container = await inContainer(options, startKafkaContainer);
  if (container) return container;
  await checkJava();
  const pom = join(options.root, 'infra', 'kafka', 'pom.xml');
  const libs = await ensureKafkaJars(pom, join(options.root, '.toolchain'), options.say, options.signal);
  const { signal, shortLived, proxied, secured } = options;
  const onSpawn = (pid: number) => options.onSpawn('Kafka', pid);
  const kafka = await startEmbeddedKafka({
    dir: join(options.dir, 'kafka'),
    libs,
    signal,
    shortLived,
    ...(proxied ? { proxied: [proxied] } : {}),
    secured: secured?.kafka,
    onSpawn,
  });
  return embedded('Kafka', kafka.brokers, kafka.server, shortLived ? 'SIGKILL' : 'SIGTERM', 'SIGKILL');
}

/** Postgres from the environment, else from a container, else embedded. */
export async function findPostgres(options: InfraOptions): Promise<Infra> {
  const given = process.env.DATABASE_URL;
  if (given) return fromEnvironment('Postgres', given);
  const container = await inContainer(options, startPostgresContainer);
  if (container) return container;
  const { signal, shortLived, secured } = options;
  const onSpawn = (pid: number) => options.onSpawn('Postgres', pid);
  const dir = join(options.dir, 'postgres');
  const settings = { ...(options.countsStatements ? COUNTING : {}), ...secured?.postgres.settings };
  const files = secured?.postgres.files ?? {};
  const database = await startEmbeddedPostgres({ dir, signal, shortLived, settings, files, onSpawn });
  // SIGINT is Postgres' fast shutdown, SIGQUIT its immediate one: never SIGKILL, which leaves its children behind.
  return embedded('Postgres', database.url, database.server, shortLived ? 'SIGQUIT' : 'SIGINT', 'SIGQUIT');
}

async function inContainer(
  options: InfraOptions,
  start: (options: InfraOptions) => Promise<Infra>,
): Promise<Infra | undefined> {
  if (!(await dockerAnswers())) return undefined;
  try {
    return await start(options);
  } catch (error) {
    options.signal.throwIfAborted();
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    options.say(`Docker answers, but the container did not start (${reason}): going on without Docker`);
    return undefined;
  }
}

function fromEnvironment(name: Infra['name'], address: string): Infra {
  return { name, address, from: 'environment', stop: async () => {} };
}

function embedded(
  name: Infra['name'],
  address: string,
  server: ServerProcess,
  orderly: NodeJS.Signals,
  atOnce: NodeJS.Signals,
): Infra {
  return {
    name,
    address,
    from: 'embedded',
    async stop(hurry) {
      const hasten = () => server.kill(atOnce);
      if (hurry.aborted) hasten();
      hurry.addEventListener('abort', hasten, { once: true });
      await server.stop(orderly, STOP_GRACE_MS);
      hurry.removeEventListener('abort', hasten);
    },
  };
}
