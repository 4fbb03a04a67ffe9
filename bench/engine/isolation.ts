import { type Measurement, measure } from '../measure.ts';
import { type Bench, type BenchTenant, createTenants, type System, startSystem } from '../system.ts';
import { type Crew, send, startCrew } from './crew.ts';
import { type Finding, median } from './finding.ts';

/**
 * What tenants whose receivers are slow cost those beside them. The fast ones are measured alone, then with the slow
 * ones, whose share of the lane's buffer has been filled before so that they are at their worst all the time.
 */
interface Neighbours {
  readonly name: string;
  readonly lanes: number;
  readonly fastTenants: number;
  readonly fastEventsPerSec: number;
  readonly slowTenants: number;
  readonly slowEventsPerSec: number;
  readonly slowReceiverMs: number;
  readonly slowCap: number;
  /** Events of each slow tenant that are queued before its rate begins: more than its share of a lane's buffer. */
  readonly queuedFirst: number;
  readonly maxMovesPerSec?: number;
}

/** All on one lane (of two: no tenant is pinned to the first): nobody is far from the slow one. */
const ONE_BESIDE_NINE: Neighbours = {
  name: 'isolation',
  lanes: 2,
  fastTenants: 9,
  fastEventsPerSec: 450,
  slowTenants: 1,
  slowEventsPerSec: 50,
  slowReceiverMs: 30_000,
  slowCap: 100,
  queuedFirst: 1_500,
};

/** Receivers of 5 s and a cap of 5 drain 1 a second; each gets 2. */
const TWENTY_OF_A_HUNDRED: Neighbours = {
  name: 'slow-tenants',
  lanes: 16,
  fastTenants: 80,
  fastEventsPerSec: 800,
  slowTenants: 20,
  slowEventsPerSec: 40,
  slowReceiverMs: 5_000,
  slowCap: 5,
  queuedFirst: 1_300,
  maxMovesPerSec: 50,
};

const MAX_RATIO = 1.2;
/** A slow attempt succeeds: one that times out soon opens the circuit, and would be gone from the lane. */
const SLOW_DEADLINE_MS = 60_000;
const WARM_UP_SEC = 10;
const QUEUE_EVENTS_PER_SEC = 1_500;
const SETTLE_SEC = 3;

export interface Windows {
  readonly runs: number;
  readonly seconds: number;
}

export const measureIsolation = (bench: Bench, windows: Windows) => run(bench, ONE_BESIDE_NINE, windows);
export const measureSlowTenants = (bench: Bench, windows: Windows) =>
  run(bench, TWENTY_OF_A_HUNDRED, windows);

async function run(bench: Bench, plan: Neighbours, windows: Windows): Promise<Finding> {
  const system = await startSystem(bench, { settings: { LANES: String(plan.lanes) } });
  const fast = await startCrew(0);
  const slow = await startCrew(plan.slowReceiverMs);
  try {
    const fastTenants = await createTenants(system.api, {
      count: plan.fastTenants,
      receiverPort: fast.receiverPort,
    });
    const slowTenants = await createTenants(system.api, {
      count: plan.slowTenants,
      receiverPort: slow.receiverPort,
      cap: plan.slowCap,
      attemptTimeoutMs: SLOW_DEADLINE_MS,
    });
    const fastWindow = (seconds: number) => measureFast(plan, system, fast, fastTenants, seconds);
    bench.say(`${plan.name}: warming up`);
    await fastWindow(WARM_UP_SEC);
    bench.say(`${plan.name}: the fast ones alone`);
    const alone = await inTurn(windows.runs, () => fastWindow(windows.seconds));
    const seconds = windows.runs * (windows.seconds + 1) + SETTLE_SEC;
    bench.say(`${plan.name}: queueing for the slow ones`);
    await queueSlow(plan, system, slow, slowTenants);
    const slowLoad = {
      url: system.api.url,
      tenants: slowTenants,
      eventsPerSec: plan.slowEventsPerSec,
      seconds,
    };
    const sent = send(slow, slowLoad);
    await fastWindow(SETTLE_SEC);
    bench.say(`${plan.name}: the fast ones beside them`);
    const before = await countMoves(system);
    const beside = await inTurn(windows.runs, () => fastWindow(windows.seconds));
    const after = await countMoves(system);
    await sent;
    return toFinding(plan, alone, beside, { ...rates(before, after), queued: await queuedOf(system) });
  } finally {
    await system.stop('kill');
    fast.stop();
    slow.stop();
  }
}

async function inTurn<T>(times: number, step: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let i = 0; i < times; i++) results.push(await step());
  return results;
}

function measureFast(
  plan: Neighbours,
  system: System,
  { sender, receiver }: Crew,
  tenants: readonly BenchTenant[],
  seconds: number,
): Promise<Measurement> {
  const workload = {
    name: plan.name,
    eventsPerSec: plan.fastEventsPerSec,
    fanOut: 1,
    seconds,
    tenants: tenants.length,
    receiverDelayMs: 0,
  };
  return measure({ apiUrl: system.api.url, sender, receiver, pids: system.pids() }, workload, tenants);
}

async function queueSlow(plan: Neighbours, system: System, slow: Crew, tenants: readonly BenchTenant[]) {
  const eventsPerSec = QUEUE_EVENTS_PER_SEC;
  const seconds = (plan.queuedFirst * tenants.length) / eventsPerSec;
  await send(slow, { url: system.api.url, tenants, eventsPerSec, seconds });
}

async function countMoves(system: System) {
  return {
    atMs: performance.now(),
    moves: await system.metric('posthorn_worker_moves_total'),
    passedOver: await system.metric('posthorn_worker_passed_over_total'),
  };
}

type Count = Awaited<ReturnType<typeof countMoves>>;

function rates(before: Count, after: Count) {
  const seconds = (after.atMs - before.atMs) / 1000;
  return {
    movesPerSec: (after.moves - before.moves) / seconds,
    passedOverPerSec: (after.passedOver - before.passedOver) / seconds,
  };
}

const queuedOf = (system: System) => system.metric('posthorn_worker_overflow_records');

function toFinding(
  plan: Neighbours,
  alone: readonly Measurement[],
  beside: readonly Measurement[],
  side: { movesPerSec: number; passedOverPerSec: number; queued: number },
): Finding {
  const p99s = (found: readonly Measurement[]) => found.map(({ deliveryMs }) => deliveryMs.p99);
  const p50s = (found: readonly Measurement[]) => found.map(({ deliveryMs }) => deliveryMs.p50);
  const spread = (name: string, values: readonly number[]) => [
    { name: `${name}, median`, value: median(values), unit: 'ms' },
    { name: `${name}, least`, value: Math.min(...values), unit: 'ms' },
    { name: `${name}, most`, value: Math.max(...values), unit: 'ms' },
  ];
  return {
    workload: plan.name,
    figures: [
      ...spread('p99 alone', p99s(alone)),
      ...spread('p99 beside', p99s(beside)),
      { name: 'p99 beside / alone', value: median(p99s(beside)) / median(p99s(alone)), atMost: MAX_RATIO },
      { name: 'p50 beside / alone', value: median(p50s(beside)) / median(p50s(alone)) },
      { name: 'lost by the fast', value: beside.reduce((sum, { lost }) => sum + lost, 0), atMost: 0 },
      {
        name: 'moves a second',
        value: side.movesPerSec,
        ...(plan.maxMovesPerSec === undefined ? {} : { atMost: plan.maxMovesPerSec }),
      },
      { name: 'passed over a second', value: side.passedOverPerSec },
      { name: 'records in the overflow at the end', value: side.queued },
      {
        name: 'CPU-s per 1,000 of the fast, alone',
        value: median(alone.map((each) => each.cpuSecPerThousand)),
      },
      {
        name: 'CPU-s per 1,000 of the fast, beside',
        value: median(beside.map((each) => each.cpuSecPerThousand)),
      },
      { name: 'worker memory', value: beside.at(-1)!.residentMb.worker!, unit: 'MB' },
    ],
  };
}
