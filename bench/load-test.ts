import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findKafka, findPostgres, type Infra } from '@posthorn/scripts/infra';
import { createApi } from '@posthorn/system-tests';
import { freePort } from '@posthorn/testkit';
import { type Measurement, measure, measureRawLoop, type Stage, type Tenant } from './measure.ts';
import { describe } from './report.ts';
import { ROOT, type RunningService, runSetup, SERVICES, startPeer, startService } from './services.ts';
import { WORKLOADS, type Workload } from './workloads.ts';

const HELP = `npm run load-test -- [options]

Starts the whole system on this machine, sends an open-loop load and prints what came of it: accepted, delivered, lost,
duplicates, latencies, CPU of every process (Kafka and Postgres included) and N, the CPU per delivery in units of a bare
undici POST. With KAFKA_BROKERS or DATABASE_URL set, those are used, and their CPU is not counted.

  --workload NAME   ${WORKLOADS.map((each) => each.name).join(', ')} or all (default)
  --events N        events a second, instead of the workload's
  --fan-out N       endpoints that match every event, instead of the workload's
  --seconds N       how long to send (default 30)
  --warm-up N       seconds of load before measuring (default 10)
  --runs N          how often each workload is measured (default 1)
  --set KEY=VALUE   configuration of the services, as often as needed
  --json FILE       also write the measurements to FILE
`;

const { values: flags } = parseArgs({
  options: {
    workload: { type: 'string', default: 'all' },
    events: { type: 'string' },
    'fan-out': { type: 'string' },
    seconds: { type: 'string' },
    'warm-up': { type: 'string', default: '10' },
    runs: { type: 'string', default: '1' },
    set: { type: 'string', multiple: true, default: [] },
    json: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});

/** Requests under way at once while tenants and endpoints are made. */
const CREATORS = 16;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function chosenWorkloads(): Workload[] {
  const chosen = WORKLOADS.filter((each) => flags.workload === 'all' || each.name === flags.workload);
  if (chosen.length === 0)
    throw new Error(`--workload ${flags.workload}: there is no such workload; see --help`);
  return chosen.map((each) => ({
    ...each,
    eventsPerSec: number('events') ?? each.eventsPerSec,
    fanOut: number('fan-out') ?? each.fanOut,
    seconds: number('seconds') ?? each.seconds,
  }));
}

function settings(): Record<string, string> {
  return Object.fromEntries(
    flags.set.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new Error(`--set ${pair}: expected KEY=VALUE`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

function number(name: 'events' | 'fan-out' | 'seconds' | 'warm-up' | 'runs'): number | undefined {
  const text = flags[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} ${text}: expected a number above 0`);
  return value;
}

async function createTenants(apiUrl: string, operatorKey: string, workload: Workload, receiverPort: number) {
  const api = createApi(apiUrl, operatorKey);
  const tenants: Tenant[] = [];
  const createTenant = async (t: number): Promise<void> => {
    const tenant = await api.createTenant({ quotas: { max_concurrent_deliveries: 100 } });
    tenants.push(tenant);
    // Addresses 127.0.0.2 and up: as many origins as a real set of receivers would be, within reason.
    const host = `127.0.0.${2 + (t % 20)}`;
    for (let e = 0; e < workload.fanOut; e++) {
      await api.createWebhook(tenant, { url: `http://${host}:${receiverPort}/t${t}/e${e}` });
    }
  };
  let next = 0;
  const createSome = async (): Promise<void> => {
    while (next < workload.tenants) await createTenant(next++);
  };
  await Promise.all(Array.from({ length: CREATORS }, createSome));
  return tenants;
}

async function measureWorkload(
  workload: Workload,
  infra: readonly Infra[],
  infraPids: Readonly<Record<string, number>>,
  dir: string,
): Promise<Measurement[]> {
  const [kafka, postgres] = infra as [Infra, Infra];
  const port = await freePort();
  const receiverPort = await freePort();
  const operatorKey = `phk_op_${randomBytes(24).toString('hex')}`;
  const environment = {
    KAFKA_BROKERS: kafka.address,
    DATABASE_URL: postgres.address,
    KAFKA_TOPIC_PREFIX: `bench-${randomBytes(3).toString('hex')}.`,
    SECRETS_KEY: randomBytes(32).toString('base64'),
    EGRESS_ALLOWED_CIDRS: '127.0.0.0/8',
    ADMIN_PORT: '0',
    ...settings(),
    PORT: String(port),
    OPERATOR_KEY: operatorKey,
  };
  await runSetup(environment);
  const services: RunningService[] = [];
  const receiver = await startPeer('receiver.ts', [String(receiverPort), String(workload.receiverDelayMs)]);
  const sender = await startPeer('sender.ts');
  try {
    for (const name of SERVICES) services.push(await startService(name, environment, dir));
    const apiUrl = `http://127.0.0.1:${port}`;
    const tenants = await createTenants(apiUrl, operatorKey, workload, receiverPort);
    const pids = { ...Object.fromEntries(services.map(({ name, pid }) => [name, pid])), ...infraPids };
    const stage: Stage = { apiUrl, sender, receiver, pids };
    say(`${workload.name}: warming up`);
    await measure(stage, { ...workload, seconds: number('warm-up') ?? 10 }, tenants);
    const rawLoop = await measureRawLoop(`http://127.0.0.1:${receiverPort}`);
    const found: Measurement[] = [];
    for (let i = 0; i < (number('runs') ?? 1); i++) {
      found.push(await measure(stage, workload, tenants));
      say(describe(found.at(-1)!, rawLoop));
    }
    return found;
  } finally {
    for (const service of services.reverse()) await service.stop();
    sender.stop();
    receiver.stop();
  }
}

async function main(): Promise<void> {
  if (flags.help) {
    say(HELP);
    return;
  }
  const workloads = chosenWorkloads();
  const dir = join(ROOT, '.posthorn', `load-test-${process.pid}`);
  await mkdir(dir, { recursive: true });
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort());
  const infraPids: Record<string, number> = {};
  const onSpawn = (name: Infra['name'], pid: number): void => {
    infraPids[name.toLowerCase()] = pid;
  };
  const options = { root: ROOT, dir, shortLived: false, signal: abort.signal, say, onSpawn };
  const infra = await Promise.all([findKafka(options), findPostgres(options)]);
  const measurements: Measurement[] = [];
  try {
    say(
      `Kafka ${infra[0].from}, Postgres ${infra[1].from}, ${availableParallelism()} cores, Node ${process.version}`,
    );
    for (const workload of workloads)
      measurements.push(...(await measureWorkload(workload, infra, infraPids, dir)));
    if (flags.json) await writeFile(flags.json, `${JSON.stringify(measurements, null, 2)}\n`);
  } finally {
    for (const each of infra) await each.stop(abort.signal);
    await rm(dir, { recursive: true, force: true });
  }
  if (measurements.some((each) => each.lost > 0 || each.duplicates > 0)) process.exitCode = 1;
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
