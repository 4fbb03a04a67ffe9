import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { runSetup } from '@posthorn/scripts/setup';
import { databaseUrl, freePort, kafkaBrokers } from '@posthorn/testkit';
import { type Api, createApi } from './api.ts';
import { inheritedEnvironment } from './inherited-environment.ts';
import { type Securing, secureSystem } from './secure-system.ts';
import { type ServiceProcess, startService } from './service-process.ts';

export type ServiceName = 'ingest' | 'dispatcher' | 'worker' | 'recorder';
export const SERVICES: readonly ServiceName[] = ['recorder', 'worker', 'dispatcher', 'ingest'];

export interface SystemOptions {
  /** Delays of the retry topics; short, so that a test walks through all of them. */
  readonly tiers?: string;
  /** The default retry schedule. */
  readonly schedule?: string;
  /** Kafka and Postgres over TLS, each service under a name of its own with the rights of the guide; where there is such a pair. */
  readonly secured?: boolean;
  /** Set for every service. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Set for one service, over the rest. */
  readonly perService?: Partial<Record<ServiceName, Readonly<Record<string, string>>>>;
}

/** The four services as processes of their own, on topics and a database that no other test file has. */
export interface System {
  readonly api: Api;
  /** Of the API. */
  readonly url: string;
  readonly operatorKey: string;
  readonly topicPrefix: string;
  readonly databaseUrl: string;
  service(name: ServiceName): ServiceProcess;
  /** Starts it (again) with the environment it had. */
  start(name: ServiceName): Promise<ServiceProcess>;
  /** Starts one more of it, beside the one that runs, with this over the environment; `close` stops it too. */
  startAnother(name: ServiceName, environment?: Readonly<Record<string, string>>): Promise<ServiceProcess>;
  stop(name: ServiceName, signal?: NodeJS.Signals): Promise<number | null>;
  /** Stops what runs, in the order of an orderly shut-down. */
  close(): Promise<void>;
}

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const operatorKey = `phk_op_${randomBytes(24).toString('hex')}`;
  const topicPrefix = `sys-${randomBytes(4).toString('hex')}.`;
  const database = options.environment?.DATABASE_URL ?? (await databaseUrl());
  const securing: Securing = await secureSystem(options.secured ?? false, topicPrefix, database);
  const shared: Record<string, string> = {
    KAFKA_BROKERS: kafkaBrokers().join(','),
    KAFKA_TOPIC_PREFIX: topicPrefix,
    LANES: '4',
    EVENT_PARTITIONS: '2',
    JOURNAL_PARTITIONS: '2',
    RETRY_TIERS: options.tiers ?? '50ms,200ms',
    RETRY_SCHEDULE: options.schedule ?? '50ms,50ms,50ms,50ms,50ms',
    ADMIN_PORT: '0',
    SECRETS_KEY: randomBytes(32).toString('base64'),
    EGRESS_ALLOWED_CIDRS: '127.0.0.0/8',
    ...options.environment,
    DATABASE_URL: database,
  };
  const environmentOf = (name: ServiceName): Record<string, string> => ({
    ...shared,
    DATABASE_ROLE: `posthorn_${name}`,
    ...securing(name),
    ...(name === 'ingest' ? { PORT: String(port), OPERATOR_KEY: operatorKey } : {}),
    ...options.perService?.[name],
  });

  await runSetup(ROOT, { ...inheritedEnvironment(), ...shared, ...securing('setup') });
  const running = new Map<ServiceName, ServiceProcess>();
  const start = async (name: ServiceName): Promise<ServiceProcess> => {
    const service = await startService(name, environmentOf(name));
    running.set(name, service);
    return service;
  };
  const others = new Set<ServiceProcess>();
  const startAnother: System['startAnother'] = async (name, environment) => {
    const anywhere: Record<string, string> = name === 'ingest' ? { PORT: '0' } : {};
    const service = await startService(name, { ...environmentOf(name), ...anywhere, ...environment });
    others.add(service);
    return service;
  };
  const stop = async (name: ServiceName, signal?: NodeJS.Signals): Promise<number | null> => {
    const code = await running.get(name)?.stop(signal);
    running.delete(name);
    return code ?? null;
  };
  const close = async (): Promise<void> => {
    await Promise.all([...others].map((service) => service.stop()));
    for (const name of [...SERVICES].reverse()) await stop(name);
  };
  try {
    await Promise.all(SERVICES.map(start));
  } catch (error) {
    await Promise.all(SERVICES.map((name) => stop(name, 'SIGKILL')));
    throw error;
  }
  return {
    api: createApi(url, operatorKey),
    url,
    operatorKey,
    topicPrefix,
    databaseUrl: database,
    service(name) {
      const found = running.get(name);
      if (!found) throw new Error(`${name} is not running`);
      return found;
    },
    start,
    startAnother,
    stop,
    close,
  };
}
