import { availableParallelism } from 'node:os';
import type { Lane, Slot, Work } from '../src/schedule/lane.ts';
import { createScheduler, type Scheduler } from '../src/schedule/scheduler.ts';

/**
 * What one slot costs the scheduler: `next`, `release` and `settle`, and apart from them its part of `offer`. Prints
 * microseconds of CPU per slot, median (least–most) of five runs, by tenants and endpoints of each, with all that waits in
 * one lane and with four of five slots of the worker in flight.
 *
 *   node services/worker/bench/scheduler.ts
 */
const RUNS = 5;
const SLOTS_PER_RUN = 100_000;
const IN_FLIGHT = 512;
const SHAPES = [1, 100, 1_000].flatMap((tenants) => [1, 100].map((endpoints) => ({ tenants, endpoints })));
const TARGET_US = 3;

interface Shape {
  readonly tenants: number;
  readonly endpoints: number;
}

interface Cost {
  readonly offerUs: number;
  readonly slotUs: number;
}

function openScheduler(shape: Shape): Scheduler<Work> {
  return createScheduler<Work>({
    maxInFlight: IN_FLIGHT,
    maxUnsettled: 2_048,
    fastSharePercent: 30,
    maxHostInFlight: IN_FLIGHT,
    maxEndpointInFlight: IN_FLIGHT,
    slowEndpointSharePercent: 70,
    attemptTimeoutMs: 15_000,
    laneBounds: { maxSlots: 2 * SLOTS_PER_RUN, maxBytes: Number.MAX_SAFE_INTEGER, tenantSharePercent: 100 },
    capOf: () => IN_FLIGHT,
    wholeCapOf: () => IN_FLIGHT,
    // Ten endpoints a host, and one in ten with a rate of its own that it stays below.
    limitsOf: (_tenantId, endpointId) => LIMITS[Number(endpointId) % shape.endpoints]!,
    onRoom: () => {},
    onTenantRoom: () => {},
  });
}

const LIMITS = Array.from({ length: 100 }, (_, i) => ({
  maxConcurrency: null,
  maxPerSec: i % 10 === 9 ? 1_000_000 : null,
  host: `host-${Math.floor(i / 10)}.example`,
}));

function makeRecords({ tenants, endpoints }: Shape): Work[] {
  return Array.from({ length: SLOTS_PER_RUN }, (_, i) => {
    const tenant = i % tenants;
    const endpoint = Math.floor(i / tenants) % endpoints;
    return { tenantId: `tenant-${tenant}`, bytes: 1_024, endpointIds: [`${tenant * endpoints + endpoint}`] };
  });
}

const FIRST = [0];

function offerAll(scheduler: Scheduler<Work>, lane: Lane, records: readonly Work[]): number {
  const before = process.cpuUsage();
  for (const record of records) scheduler.offer(lane, record, FIRST);
  return process.cpuUsage(before).user / SLOTS_PER_RUN;
}

/** Keeps the worker four fifths full, and ends the oldest request whenever the next has started. */
function drain(scheduler: Scheduler<Work>): number {
  const open: Slot<Work>[] = new Array(IN_FLIGHT);
  const most = Math.floor(IN_FLIGHT * 0.8);
  let started = 0;
  let ended = 0;
  let nowMs = 0;
  const before = process.cpuUsage();
  while (ended < SLOTS_PER_RUN) {
    const slot = started - ended < most ? scheduler.next(nowMs) : null;
    if (slot !== null) {
      open[started++ % IN_FLIGHT] = slot;
      continue;
    }
    if (started === ended) throw new Error('nothing is in flight and nothing starts');
    const oldest = open[ended++ % IN_FLIGHT]!;
    nowMs += 0.05;
    scheduler.release(oldest, 20 + (ended % 7));
    scheduler.settle(oldest);
  }
  return process.cpuUsage(before).user / SLOTS_PER_RUN;
}

function measure(shape: Shape, records: readonly Work[]): Cost {
  const scheduler = openScheduler(shape);
  const offerUs = offerAll(scheduler, scheduler.openLane(0), records);
  return { offerUs, slotUs: drain(scheduler) };
}

const byAmount = (a: number, b: number): number => a - b;

function describe(values: readonly number[]): string {
  const sorted = values.toSorted(byAmount);
  const [least, median, most] = [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!];
  return `${median.toFixed(2)} (${least.toFixed(2)}–${most.toFixed(2)})`;
}

process.stdout.write(
  `µs per slot, ${availableParallelism()} cores, Node ${process.version}, target ${TARGET_US}\n`,
);
for (const shape of SHAPES) {
  const records = makeRecords(shape);
  measure(shape, records);
  const costs = Array.from({ length: RUNS }, () => measure(shape, records));
  const slot = describe(costs.map(({ slotUs }) => slotUs));
  const offer = describe(costs.map(({ offerUs }) => offerUs));
  process.stdout.write(
    `${shape.tenants} tenants × ${shape.endpoints} endpoints: next + release + settle ${slot}, offer ${offer}\n`,
  );
}
