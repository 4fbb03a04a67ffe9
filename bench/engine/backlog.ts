import { setTimeout as delay } from 'node:timers/promises';
import { usageOf } from '../cpu.ts';
import { measure } from '../measure.ts';
import { preloadDeliveries } from '../preload.ts';
import { type Bench, createTenants, type System, startSystem } from '../system.ts';
import { type Crew, startCrew } from './crew.ts';
import { type Finding, median } from './finding.ts';

/** What a worker does with more deliveries in its lanes than it could ever hold. */
export interface BacklogOptions {
  /** Deliveries that are queued before the worker starts. */
  readonly queued: number;
  /** How long to look at most. */
  readonly seconds: number;
}

const TENANTS = 100;
const MAX_WORKER_MB = 300;
const SAMPLE_MS = 1_000;
/** The first samples are of a worker that starts. */
const WARM_SAMPLES = 8;

/** Many tenants, receivers that answer at once: how fast it drains, and in how much memory. */
export async function measureBacklog(bench: Bench, { queued, seconds }: BacklogOptions): Promise<Finding> {
  const system = await startSystem(bench, { withWorker: false });
  const crew = await startCrew(0);
  try {
    const tenants = await createTenants(system.api, { count: TENANTS, receiverPort: crew.receiverPort });
    bench.say(`backlog: queueing ${queued} deliveries`);
    await preloadDeliveries(bench, system, tenants, queued);
    bench.say('backlog: draining');
    await system.startWorker();
    const samples = await watch(system, crew, { seconds, until: queued });
    const warm = samples.slice(WARM_SAMPLES);
    const rates = warm.slice(1).map((each, i) => perSec(warm[i]!, each));
    const duplicates = (await crew.receiver.ask<{ duplicates: number }>('report')).duplicates;
    return {
      workload: 'backlog',
      figures: [
        { name: 'queued', value: queued, unit: 'deliveries' },
        { name: 'delivered while looked at', value: samples.at(-1)!.arrivals },
        { name: 'looked at for', value: samples.length * (SAMPLE_MS / 1000), unit: 's' },
        { name: 'drained, median', value: median(rates), unit: 'deliveries/s' },
        { name: 'drained, least second', value: Math.min(...rates), unit: 'deliveries/s' },
        { name: 'duplicates', value: duplicates, atMost: 0 },
        ...memoryOf(samples),
      ],
    };
  } finally {
    await system.stop('kill');
    crew.stop();
  }
}

const CAPPED_RECEIVER_MS = 5_000;
const CAPPED_AT = 10;
const CAPPED_DEADLINE_MS = 60_000;
const NEIGHBOURS = 9;
const NEIGHBOUR_EVENTS_PER_SEC = 450;
const NEIGHBOUR_SEC = 10;

/**
 * One tenant with a backlog that its cap drains at 2 a second, on one lane with nine others: how long until the lane
 * has moved it out of the way, and what it costs from then on.
 */
export async function measureCappedBacklog(
  bench: Bench,
  { queued, seconds }: BacklogOptions,
): Promise<Finding> {
  const system = await startSystem(bench, { withWorker: false, settings: { LANES: '2' } });
  const slow = await startCrew(CAPPED_RECEIVER_MS);
  const fast = await startCrew(0);
  try {
    const capped = await createTenants(system.api, {
      count: 1,
      receiverPort: slow.receiverPort,
      cap: CAPPED_AT,
      attemptTimeoutMs: CAPPED_DEADLINE_MS,
    });
    const neighbours = await createTenants(system.api, {
      count: NEIGHBOURS,
      receiverPort: fast.receiverPort,
    });
    bench.say(`capped-backlog: queueing ${queued} deliveries`);
    await preloadDeliveries(bench, system, capped, queued);
    bench.say('capped-backlog: moving');
    const startedMs = performance.now();
    await system.startWorker();
    const moves = () => system.metric('posthorn_worker_moves_total');
    const moving = await watch(system, slow, { seconds, until: queued, quiet: moves });
    const movedSec = (performance.now() - startedMs) / 1000;
    const moved = await moves();
    const workload = {
      name: 'capped-backlog',
      eventsPerSec: NEIGHBOUR_EVENTS_PER_SEC,
      fanOut: 1,
      seconds: NEIGHBOUR_SEC,
      tenants: NEIGHBOURS,
      receiverDelayMs: 0,
    };
    const { sender, receiver } = fast;
    const stage = { apiUrl: system.api.url, sender, receiver, pids: system.pids() };
    await measure(stage, workload, neighbours);
    const before = { atMs: performance.now(), moves: await moves() };
    const beside = await measure(stage, workload, neighbours);
    const movesPerSec = ((await moves()) - before.moves) / ((performance.now() - before.atMs) / 1000);
    const idleCpu = await idleCpuOf(system);
    return {
      workload: 'capped-backlog',
      figures: [
        { name: 'queued', value: queued, unit: 'deliveries' },
        { name: 'moved at the start', value: moved, unit: 'records' },
        { name: 'until moved', value: movedSec, unit: 's' },
        { name: 'moves a second from then on', value: movesPerSec, atMost: 50 },
        { name: 'p99 of the neighbours from then on', value: beside.deliveryMs.p99, unit: 'ms' },
        { name: 'lost by the neighbours', value: beside.lost, atMost: 0 },
        { name: 'CPU of the worker, no other load', value: idleCpu, unit: 's/s' },
        { name: 'records in the overflow', value: await system.metric('posthorn_worker_overflow_records') },
        ...memoryOf(moving),
      ],
    };
  } finally {
    await system.stop('kill');
    slow.stop();
    fast.stop();
  }
}

interface Sample {
  readonly atMs: number;
  readonly arrivals: number;
  readonly workerMb: number;
}

interface Watch {
  readonly seconds: number;
  /** Arrivals at which to stop. */
  readonly until: number;
  /** Stops too when this has not changed from one sample to the next, for three in a row. */
  readonly quiet?: () => Promise<number>;
}

async function watch(system: System, crew: Crew, { seconds, until, quiet }: Watch): Promise<Sample[]> {
  const samples: Sample[] = [];
  const pid = system.pids().worker!;
  const endMs = performance.now() + seconds * 1000;
  let last = 0;
  for (let still = 0; performance.now() < endMs && still < 3; ) {
    await delay(SAMPLE_MS);
    const { arrivals } = await crew.receiver.ask<{ arrivals: number }>('count');
    const { residentMb } = await usageOf(pid);
    samples.push({ atMs: performance.now(), arrivals, workerMb: residentMb });
    if (arrivals >= until) break;
    const now = quiet ? await quiet() : Number.NaN;
    still = now > 0 && now === last ? still + 1 : 0;
    last = now;
  }
  return samples;
}

const perSec = (from: Sample, to: Sample): number =>
  (to.arrivals - from.arrivals) / ((to.atMs - from.atMs) / 1000);

function memoryOf(samples: readonly Sample[]) {
  const mb = samples.map(({ workerMb }) => workerMb);
  const half = mb.length >> 1;
  return [
    { name: 'worker memory, most in the first half', value: Math.max(...mb.slice(0, half)), unit: 'MB' },
    { name: 'worker memory, most', value: Math.max(...mb), unit: 'MB', atMost: MAX_WORKER_MB },
  ];
}

async function idleCpuOf(system: System): Promise<number> {
  const pid = system.pids().worker!;
  const before = await usageOf(pid);
  await delay(5_000);
  return ((await usageOf(pid)).cpuSec - before.cpuSec) / 5;
}
