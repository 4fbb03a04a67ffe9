import { mkdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { findKafka, findPostgres, type Infra } from '@posthorn/scripts/infra';
import { type Comparison, compare } from './compare.ts';
import { startCrew } from './engine/crew.ts';
import { describeFinding, type Finding } from './engine/finding.ts';
import { ENGINE_WORKLOADS } from './engine/workloads.ts';
import { type Measurement, measure, measureRawLoop, type Stage } from './measure.ts';
import { describe } from './report.ts';
import { ROOT } from './services.ts';
import { type Bench, createTenants, startSystem } from './system.ts';
import { WORKLOADS, type Workload } from './workloads.ts';

const HELP = `npm run load-test -- [options]

Starts the whole system on this machine, sends an open-loop load and prints what came of it: accepted, delivered, lost,
duplicates, latencies, CPU of every process (Kafka and Postgres included) and N, the CPU per delivery in units of a bare
undici POST. With KAFKA_BROKERS or DATABASE_URL set, those are used, and their CPU is not counted.

  --workload NAME   ${WORKLOADS.map((each) => each.name).join(', ')} or all of these (default);
                    of the engine: ${ENGINE_WORKLOADS.map((each) => each.name).join(', ')}
  --checkout DIR    measure the services of another checkout instead of these
  --against DIR     measure the services of another checkout too, in turn, under the same load
  --events N        events a second, instead of the workload's
  --fan-out N       endpoints that match every event, instead of the workload's
  --seconds N       how long to send, or to look (default 30, or the workload's)
  --queued N        deliveries that wait before a worker starts, instead of the workload's
  --warm-up N       seconds of load before measuring (default 10)
  --runs N          how often each workload is measured, or each window of it (default 1)
  --set KEY=VALUE   configuration of the services, as often as needed; of Node too: --set NODE_OPTIONS="--cpu-prof"
  --json FILE       also write the measurements to FILE
`;

const { values: flags } = parseArgs({
  options: {
    workload: { type: 'string', default: 'all' },
    events: { type: 'string' },
    'fan-out': { type: 'string' },
    seconds: { type: 'string' },
    queued: { type: 'string' },
    checkout: { type: 'string', default: ROOT },
    against: { type: 'string' },
    'warm-up': { type: 'string', default: '10' },
    runs: { type: 'string', default: '1' },
    set: { type: 'string', multiple: true, default: [] },
    json: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});

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

const runs = (): number => number('runs') ?? 1;
const warmUpSec = (): number => number('warm-up') ?? 10;

function number(name: 'events' | 'fan-out' | 'seconds' | 'queued' | 'warm-up' | 'runs'): number | undefined {
  const text = flags[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} ${text}: expected a number above 0`);
  return value;
}

async function measureWorkload(bench: Bench, workload: Workload): Promise<Measurement[]> {
  const system = await startSystem(bench);
  const crew = await startCrew(workload.receiverDelayMs);
  const { sender, receiver, receiverPort } = crew;
  try {
    const { fanOut: endpoints, tenants: count } = workload;
    const tenants = await createTenants(system.api, { count, receiverPort, endpoints });
    const stage: Stage = { apiUrl: system.api.url, sender, receiver, pids: system.pids() };
    say(`${workload.name}: warming up`);
    await measure(stage, { ...workload, seconds: warmUpSec() }, tenants);
    const rawLoop = await measureRawLoop(`http://127.0.0.1:${receiverPort}`);
    const found: Measurement[] = [];
    for (let i = 0; i < runs(); i++) {
      found.push(await measure(stage, workload, tenants));
      say(describe(found.at(-1)!, rawLoop));
    }
    return found;
  } finally {
    await system.stop();
    crew.stop();
  }
}

/** What fits the options: the engine's workloads by name, a comparison, or the plain ones. */
async function measureChosen(bench: Bench): Promise<readonly (Measurement | Finding | Comparison)[]> {
  const engine = ENGINE_WORKLOADS.find((each) => each.name === flags.workload);
  if (engine) {
    const finding = await engine.measure(bench, {
      runs: runs(),
      seconds: number('seconds') ?? engine.seconds,
      queued: number('queued') ?? engine.queued ?? 0,
    });
    say(describeFinding(finding));
    return [finding];
  }
  const workloads = chosenWorkloads();
  if (flags.against) {
    const options = { against: resolve(flags.against), workloads, runs: runs(), warmUpSec: warmUpSec() };
    return compare(bench, options);
  }
  const found: Measurement[] = [];
  for (const workload of workloads) found.push(...(await measureWorkload(bench, workload)));
  return found;
}

function isUnsound(found: Measurement | Finding | Comparison): boolean {
  if ('figures' in found) return found.figures.some((figure) => figure.atMost === 0 && figure.value > 0);
  const all = 'now' in found ? found.now : [found];
  return all.some((each) => each.lost > 0 || each.duplicates > 0);
}

async function main(): Promise<void> {
  if (flags.help) {
    say(HELP);
    return;
  }
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
  try {
    say(
      `Kafka ${infra[0].from}, Postgres ${infra[1].from}, ${availableParallelism()} cores, Node ${process.version}`,
    );
    const bench: Bench = {
      brokers: infra[0].address,
      databaseUrl: infra[1].address,
      infraPids,
      dir,
      checkout: resolve(flags.checkout),
      settings: settings(),
      say,
    };
    const found = await measureChosen(bench);
    if (flags.json) await writeFile(flags.json, `${JSON.stringify(found, null, 2)}\n`);
    if (found.some(isUnsound)) process.exitCode = 1;
  } finally {
    for (const each of infra) await each.stop(abort.signal);
    await rm(dir, { recursive: true, force: true });
  }
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
