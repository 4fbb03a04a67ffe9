import { randomBytes } from 'node:crypto';
import { openDatabase } from '@posthorn/db';
import { runSetup } from '@posthorn/scripts/setup';
import { type Api, createApi, inheritedEnvironment } from '@posthorn/system-tests';
import { freePort } from '@posthorn/testkit';
import type { Tenant } from './measure.ts';
import { type RunningService, SERVICES, startService } from './services.ts';

/** What every measurement of one call shares. */
export interface Bench {
  readonly brokers: string;
  readonly databaseUrl: string;
  /** Kafka and Postgres, where they are ours. */
  readonly infraPids: Readonly<Record<string, number>>;
  /** For logs. */
  readonly dir: string;
  /** The tree whose services are measured. */
  readonly checkout: string;
  /** Configuration of the services, before all else. */
  readonly settings: Readonly<Record<string, string>>;
  say(line: string): void;
}

/** One Posthorn on topics and a database of its own. */
export interface System {
  readonly api: Api;
  readonly topicPrefix: string;
  readonly databaseUrl: string;
  /** Every process of it that runs now, by name; of several workers the second is `worker 2`. */
  pids(): Record<string, number>;
  startWorker(): Promise<RunningService>;
  /** One more replica of the API, at the address that is given back. */
  startIngest(): Promise<string>;
  /** The sum of a metric's series over all services, those whose labels contain `labels` alone. */
  metric(name: string, labels?: string): Promise<number>;
  /** `kill`: without waiting for requests under way. */
  stop(how?: 'drain' | 'kill'): Promise<void>;
}

export interface SystemOptions {
  readonly checkout?: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** False: the workload starts them itself. */
  readonly withWorker?: boolean;
}

export async function startSystem(bench: Bench, options: SystemOptions = {}): Promise<System> {
  const { checkout = bench.checkout, withWorker = true } = options;
  const database = await createDatabase(bench.databaseUrl);
  const operatorKey = `phk_op_${randomBytes(24).toString('hex')}`;
  const port = String(await freePort());
  const environment: Record<string, string> = {
    ...inheritedEnvironment(),
    KAFKA_BROKERS: bench.brokers,
    KAFKA_TOPIC_PREFIX: `bench-${randomBytes(3).toString('hex')}.`,
    SECRETS_KEY: randomBytes(32).toString('base64'),
    EGRESS_ALLOWED_CIDRS: '127.0.0.0/8',
    ...options.settings,
    ...bench.settings,
    DATABASE_URL: database.url,
    PORT: port,
    OPERATOR_KEY: operatorKey,
  };
  await runSetup(checkout, environment);
  const running: { service: RunningService; adminPort: number }[] = [];
  const start = async (name: string, over: Record<string, string> = {}): Promise<RunningService> => {
    const adminPort = await freePort();
    const own = {
      ...environment,
      DATABASE_ROLE: `posthorn_${name}`,
      ...over,
      ADMIN_PORT: String(adminPort),
    };
    const service = await startService(name, own, bench.dir, checkout);
    const entry = { service, adminPort };
    running.push(entry);
    const leave = (): void => void running.splice(running.indexOf(entry), 1);
    return {
      ...service,
      stop: () => {
        leave();
        return service.stop();
      },
      kill: () => {
        leave();
        service.kill();
      },
    };
  };
  for (const name of SERVICES) if (withWorker || name !== 'worker') await start(name);
  return {
    api: createApi(`http://127.0.0.1:${port}`, operatorKey),
    topicPrefix: environment.KAFKA_TOPIC_PREFIX!,
    databaseUrl: database.url,
    pids: () => ({ ...pidsByName(running.map(({ service }) => service)), ...bench.infraPids }),
    startWorker: () => start('worker'),
    async startIngest() {
      const another = String(await freePort());
      await start('ingest', { PORT: another });
      return `http://127.0.0.1:${another}`;
    },
    metric: async (name, labels = '') => {
      const sums = await Promise.all(running.map(({ adminPort }) => readMetric(adminPort, name, labels)));
      return sums.reduce((sum, each) => sum + each, 0);
    },
    async stop(how = 'drain') {
      for (const { service } of running.splice(0).reverse()) {
        if (how === 'kill') service.kill();
        else await service.stop();
      }
      await database.drop();
    },
  };
}

function pidsByName(services: readonly RunningService[]): Record<string, number> {
  const pids: Record<string, number> = {};
  for (const { name, pid } of services) {
    let free = name;
    for (let i = 2; free in pids; i++) free = `${name} ${i}`;
    pids[free] = pid;
  }
  return pids;
}

async function createDatabase(serverUrl: string) {
  const name = `bench_${randomBytes(4).toString('hex')}`;
  const server = openDatabase({ url: serverUrl, pool: 1, applicationName: 'posthorn-bench' });
  await server.sql.unsafe(`create database ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    async drop() {
      await server.sql.unsafe(`drop database ${name} with (force)`);
      await server.close();
    },
  };
}

async function readMetric(adminPort: number, name: string, labels: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/metrics`);
  let sum = 0;
  for (const line of (await answer.text()).split('\n')) {
    const rest = line.startsWith(name) ? line.slice(name.length) : '';
    if ((rest[0] === ' ' || rest[0] === '{') && rest.includes(labels))
      sum += Number(rest.slice(rest.lastIndexOf(' ')));
  }
  return sum;
}

/** Requests under way at once while tenants and endpoints are made. */
const CREATORS = 16;
/** Receiver addresses: as many origins as a real set of receivers would be, within reason. */
const HOSTS = 20;

export interface TenantsOptions {
  readonly count: number;
  readonly receiverPort: number;
  /** Endpoints of each, all for every event; 1 by default. */
  readonly endpoints?: number;
  /** Requests under way at once per tenant. */
  readonly cap?: number;
  /** The endpoints' deadline; the worker's by default. */
  readonly attemptTimeoutMs?: number;
  /** Of each tenant, over the defaults and `cap`. */
  readonly quotas?: Readonly<Record<string, number>>;
}

export interface BenchTenant extends Tenant {
  readonly webhookIds: readonly string[];
}

/** Their receivers' paths are `/t<number>/e<number>`. */
export async function createTenants(api: Api, options: TenantsOptions): Promise<BenchTenant[]> {
  const { count, receiverPort, endpoints = 1, cap = 100, attemptTimeoutMs, quotas } = options;
  const tenants: BenchTenant[] = [];
  const createTenant = async (t: number): Promise<void> => {
    const tenant = await api.createTenant({ quotas: { max_concurrent_deliveries: cap, ...quotas } });
    const webhookIds: string[] = [];
    for (let e = 0; e < endpoints; e++) {
      const url = `http://127.0.0.${2 + (t % HOSTS)}:${receiverPort}/t${t}/e${e}`;
      const deadline = attemptTimeoutMs === undefined ? {} : { attempt_timeout_ms: attemptTimeoutMs };
      webhookIds.push((await api.createWebhook(tenant, { url, ...deadline })).webhook_id);
    }
    tenants.push({ ...tenant, webhookIds });
  };
  let next = 0;
  const createSome = async (): Promise<void> => {
    while (next < count) await createTenant(next++);
  };
  await Promise.all(Array.from({ length: CREATORS }, createSome));
  return tenants;
}
