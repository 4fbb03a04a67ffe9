import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isPortFree } from '@posthorn/testkit';
import { removeWithElsewhere } from '../infra/elsewhere.mjs';
import { findKafka, findPostgres, type Infra } from '../infra/find-infra.ts';
import type { Say } from '../infra/kafka-jars.ts';
import { removeVolumes } from '../infra/volumes.mjs';
import type { Interrupt } from '../interrupt.ts';
import { openRunFile, stopLeftovers } from '../run-file.mjs';
import { DATABASE_FILE, KEYS_FILE } from './files.ts';
import type { StartOptions } from './options.ts';
import { runSetup } from './run-setup.ts';
import { type LogLine, SERVICES, type Service, type ServiceName, startService } from './services.ts';
import { ensureKeys, type Keys, serviceEnvironment } from './settings.ts';
import type { StopList } from './stop-list.ts';

export type SystemOptions = {
  readonly root: string;
  /** `.posthorn`: data, logs, keys. */
  readonly dir: string;
  readonly start: StartOptions;
  readonly interrupt: Interrupt;
  readonly stops: StopList;
  readonly say: Say;
  readonly onLine: (service: ServiceName, line: LogLine) => void;
};

export type System = {
  readonly keys: Keys;
  readonly logDir: string;
  readonly infra: readonly Infra[];
  /** Rejects as soon as a service has ended that nobody stopped. */
  readonly failed: Promise<never>;
  restart(names: readonly ServiceName[]): Promise<void>;
};

/** The demo's receiver listens on loopback, where endpoints may not be otherwise. */
export const DEMO_CIDRS = '127.0.0.0/8';

/** Puts right what earlier runs left, then starts Kafka, Postgres and the services in this order. */
export async function startSystem(options: SystemOptions): Promise<System> {
  const { dir, start, interrupt, say } = options;
  const runFile = join(dir, 'run.json');
  const logDir = join(dir, 'logs');
  const left = await stopLeftovers(runFile);
  if (left.length > 0) say(`Stopped what a killed run had left: ${left.join(', ')}`);
  if (!(await isPortFree(start.port)))
    throw new Error(
      `Port ${start.port} is taken: stop what listens there, or add -- --port ${start.port + 1}`,
    );
  if (start.fresh) await removeData(options);
  await mkdir(logDir, { recursive: true });
  const running = openRunFile(runFile, 'npm start');
  options.stops.add('run file', () => rm(runFile, { force: true }));
  const infra = await startInfra(options, running.add);
  const keys = await ensureKeys(join(dir, KEYS_FILE));
  const [kafka, postgres] = infra;
  await keepAddress(options, postgres.address);
  const env = serviceEnvironment({
    kafkaBrokers: kafka.address,
    databaseUrl: postgres.address,
    port: start.port,
    keys,
    allowedCidrs: process.env.EGRESS_ALLOWED_CIDRS ?? (start.demo ? DEMO_CIDRS : ''),
  });
  await step(say, 'Topics and migrations', () =>
    runSetup(options.root, env, interrupt.stop).catch((error: Error) => {
      throw new Error(`${error.message}\n(npm start -- --fresh begins with new data)`);
    }),
  );
  const services = await step(say, `Services ${SERVICES.join(', ')}`, () =>
    startServices(options, { logDir, env, onSpawn: running.add }),
  );
  return { keys, logDir, infra, ...services };
}

/** For `npm run posthorn`, while the system runs: an embedded Postgres has another port each time. */
async function keepAddress({ dir, stops }: SystemOptions, databaseUrl: string): Promise<void> {
  const file = join(dir, DATABASE_FILE);
  await writeFile(file, databaseUrl, { mode: 0o600 });
  stops.add('address of Postgres', () => rm(file, { force: true }));
}

async function removeData({ root, dir, say }: SystemOptions): Promise<void> {
  await removeWithElsewhere(join(dir, 'postgres'));
  for (const name of ['kafka', 'logs', 'demo.json', KEYS_FILE])
    await rm(join(dir, name), { recursive: true, force: true });
  await removeVolumes(root);
  if (process.env.KAFKA_BROKERS || process.env.DATABASE_URL)
    say('--fresh leaves the Kafka and Postgres of the environment as they are');
}

type OnSpawn = (name: string, pid: number | undefined) => void;

async function startInfra(options: SystemOptions, onSpawn: OnSpawn): Promise<readonly [Infra, Infra]> {
  const { root, dir, interrupt, say } = options;
  const infraOptions = { root, dir, shortLived: false, signal: interrupt.stop, say, onSpawn };
  const found: Infra[] = [];
  options.stops.add('Kafka and Postgres', async (hurry) => {
    await Promise.all(found.map((each) => each.stop(hurry)));
  });
  const keep = async (find: () => Promise<Infra>) => {
    const startedAt = performance.now();
    const infra = await find();
    found.push(infra);
    say(`${infra.name}: ${infra.from}, ${withoutPassword(infra.address)} (${seconds(startedAt)})`);
    return infra;
  };
  const both = await Promise.allSettled([
    keep(() => findKafka(infraOptions)),
    keep(() => findPostgres(infraOptions)),
  ]);
  const [kafka, postgres] = both;
  if (kafka.status === 'rejected') throw kafka.reason;
  if (postgres.status === 'rejected') throw postgres.reason;
  return [kafka.value, postgres.value];
}

/** On a Postgres of our own, where the set-up job may make roles. */
const withRole = (name: ServiceName): NodeJS.ProcessEnv =>
  process.env.DATABASE_URL ? {} : { DATABASE_ROLE: `posthorn_${name}` };

type ServiceStart = { readonly logDir: string; readonly env: NodeJS.ProcessEnv; readonly onSpawn: OnSpawn };

async function startServices(options: SystemOptions, { logDir, env, onSpawn }: ServiceStart) {
  const { root, start, stops, say, onLine, interrupt } = options;
  const running = new Map<ServiceName, Service>();
  const failure = Promise.withResolvers<never>();
  // Waited for later than it may come.
  failure.promise.catch(() => {});
  let stopping = false;
  const launch = (name: ServiceName) => {
    const service = startService(name, { root, logDir, env: { ...withRole(name), ...env }, onLine });
    running.set(name, service);
    onSpawn(name, service.pid);
    service.ended.then((why) => {
      if (stopping || running.get(name) !== service) return;
      const line = `${name} ended by itself (${why}): see ${service.logFile}`;
      if (start.watch) say(`${line}; it starts again when a file changes`);
      else failure.reject(new Error(line));
    });
    return service;
  };
  stops.add('services', async (hurry) => {
    stopping = true;
    await Promise.all([...running.values()].map((service) => service.stop(hurry)));
  });
  interrupt.stop.throwIfAborted();
  await untilAborted(Promise.all(SERVICES.map((name) => launch(name).started())), interrupt.stop);
  return {
    failed: failure.promise,
    async restart(names: readonly ServiceName[]) {
      await Promise.all(
        names.map(async (name) => {
          const before = running.get(name);
          running.delete(name);
          await before?.stop(interrupt.hurry);
          if (stopping) return;
          await launch(name).started();
          say(`${name} restarted`);
        }),
      );
    },
  };
}

export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => {});
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

export async function step<T>(say: Say, what: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const result = await work();
  say(`${what}: done (${seconds(startedAt)})`);
  return result;
}

function seconds(startedAt: number): string {
  return `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
}

function withoutPassword(address: string): string {
  return address.replace(/:[^:@/]+@/, ':…@');
}
