import { expect, test } from 'vitest';
import { makeScheduler } from '../../test/make-scheduler.ts';
import type { Lane, Slot, Work } from './lane.ts';
import type { EndpointLimits, Scheduler, SchedulerOptions } from './scheduler.ts';

const NO_LIMITS: EndpointLimits = { maxConcurrency: null, maxPerSec: null, host: null };
const ROOMY = { maxSlots: 20_000, maxBytes: 20_000, tenantSharePercent: 100 };
const FAST_MS = 100;
const SLOW_MS = 5_000;

/** Endpoint ids start with their tenant's: `a1` is of tenant `a`. */
function setup(
  options: Partial<SchedulerOptions> = {},
  limits: Record<string, Partial<EndpointLimits>> = {},
) {
  const scheduler = makeScheduler<Work>({
    limitsOf: (_tenantId, endpointId) => ({ ...NO_LIMITS, ...limits[endpointId] }),
    ...options,
  });
  const lane = scheduler.openLane(0);
  const offer = (endpointId: string, count = 1) => {
    for (let i = 0; i < count; i++)
      scheduler.offer(lane, { tenantId: endpointId[0]!, bytes: 1, endpointIds: [endpointId] }, [0]);
  };
  return { scheduler, lane, offer, limits };
}

/** Starts all that may start. */
function startAll(scheduler: Scheduler<Work>, nowMs = 0): Slot<Work>[] {
  const started: Slot<Work>[] = [];
  for (let slot = scheduler.next(nowMs); slot !== null; slot = scheduler.next(nowMs)) started.push(slot);
  return started;
}

const ids = (slots: readonly Slot<Work>[]) => slots.map(({ endpointId }) => endpointId).toSorted();

function end(scheduler: Scheduler<Work>, slots: readonly Slot<Work>[], tookMs: number): void {
  for (const slot of slots) {
    scheduler.release(slot, tookMs);
    scheduler.settle(slot);
  }
}

/** Lets an endpoint answer once, so that its pace is known. */
function answer({ scheduler, offer }: ReturnType<typeof setup>, endpointId: string, tookMs: number): void {
  offer(endpointId);
  end(scheduler, startAll(scheduler), tookMs);
}

test('an endpoint at its limit waits while others of its tenant go on', () => {
  const { scheduler, offer } = setup({ maxEndpointInFlight: 2 }, { a1: { maxConcurrency: 1 } });
  for (const endpointId of ['a1', 'a2']) offer(endpointId, 4);
  const started = startAll(scheduler);
  expect(ids(started)).toEqual(['a1', 'a2', 'a2']);
  expect(scheduler.stats().waiting).toEqual({ tenantCap: 0, endpointCap: 5, host: 0, rate: 0 });
  end(
    scheduler,
    started.filter(({ endpointId }) => endpointId === 'a1'),
    1,
  );
  expect(ids(startAll(scheduler))).toEqual(['a1']);
});

test('a raised limit of an endpoint holds at the next recheck', () => {
  const { scheduler, offer, limits } = setup({}, { a1: { maxConcurrency: 1 } });
  offer('a1', 3);
  expect(startAll(scheduler)).toHaveLength(1);
  limits.a1 = { maxConcurrency: 2 };
  expect(startAll(scheduler)).toHaveLength(0);
  scheduler.recheckCaps(0);
  expect(startAll(scheduler)).toHaveLength(1);
});

test('a host holds its bound over all tenants, and a place there goes to who waits longest at once', () => {
  const busy = { host: 'busy.example' };
  const { scheduler, offer } = setup({ maxHostInFlight: 2 }, { a1: busy, b1: busy, c1: busy });
  for (const endpointId of ['a1', 'b1', 'c1', 'd1']) offer(endpointId, 2);
  const started = startAll(scheduler);
  expect(ids(started)).toEqual(['a1', 'b1', 'd1', 'd1']);
  expect(scheduler.stats().waiting.host).toBe(4);
  end(scheduler, started.slice(0, 1), 1);
  expect(startAll(scheduler)).toHaveLength(1);
});

test('ten thousand endpoints of many tenants have no more places at one host than one, and keep nobody else up', () => {
  const tenants = 'abcdefghijklmnopqrstuvwxy'.split('');
  const endpoints = tenants.flatMap((tenant) => Array.from({ length: 400 }, (_, n) => `${tenant}${n}`));
  const limits = Object.fromEntries(endpoints.map((id) => [id, { host: 'victim.example' }]));
  const { scheduler, offer } = setup({ maxHostInFlight: 256, laneBounds: ROOMY }, limits);
  for (const endpointId of endpoints) offer(endpointId);
  offer('z1', 3);
  const started = startAll(scheduler);
  const atVictim = started.filter(({ endpointId }) => endpointId !== 'z1');
  expect(started.length - atVictim.length).toBe(3);
  expect(atVictim).toHaveLength(256);
  // As many of each tenant as of any other, give or take one.
  const perTenant = tenants.map(
    (tenant) => atVictim.filter(({ endpointId }) => endpointId[0] === tenant).length,
  );
  expect(Math.max(...perTenant) - Math.min(...perTenant)).toBeLessThanOrEqual(1);
  end(scheduler, atVictim.slice(0, 10), 1);
  expect(startAll(scheduler)).toHaveLength(10);
});

test('a place at a host that a tenant at its cap cannot use goes to another a moment later', () => {
  const busy = { host: 'busy.example' };
  const caps: Record<string, number> = { a: 10, b: 1 };
  const { scheduler, offer } = setup(
    { maxHostInFlight: 1, capOf: (tenantId) => caps[tenantId]! },
    { a1: busy, a2: busy, b1: busy },
  );
  offer('a1');
  const first = startAll(scheduler);
  offer('b1');
  offer('b2');
  expect(ids(startAll(scheduler))).toEqual(['b2']);
  offer('a2');
  expect(startAll(scheduler)).toHaveLength(0);
  end(scheduler, first, 1);
  expect(startAll(scheduler)).toHaveLength(0);
  expect(ids(startAll(scheduler, scheduler.nextWakeMs!))).toEqual(['a2']);
});

test('an endpoint over its rate waits, keeps nobody up, and is told when it goes on', () => {
  const { scheduler, offer } = setup({}, { a1: { maxPerSec: 4 } });
  offer('a1', 10);
  offer('a2', 2);
  expect(ids(startAll(scheduler))).toEqual(['a1', 'a1', 'a1', 'a1', 'a2', 'a2']);
  expect(scheduler.stats().waiting.rate).toBe(6);
  expect(scheduler.nextWakeMs).toBe(250);
  expect(startAll(scheduler, 249)).toHaveLength(0);
  expect(startAll(scheduler, 250)).toHaveLength(1);
  expect(startAll(scheduler, 1_000)).toHaveLength(3);
});

test('a slot that was put back costs nothing of the rate', () => {
  const { scheduler, offer } = setup({}, { a1: { maxPerSec: 1 } });
  offer('a1');
  scheduler.putBack(scheduler.next(0)!);
  expect(startAll(scheduler)).toHaveLength(1);
});

test('a share of the worker is kept for tenants that answer in under a second', () => {
  const world = setup({ maxInFlight: 10, fastSharePercent: 30 });
  answer(world, 'f1', FAST_MS);
  answer(world, 's1', SLOW_MS);
  world.offer('s1', 20);
  world.offer('n1', 20);
  expect(startAll(world.scheduler)).toHaveLength(7);
  expect(world.scheduler.stats()).toMatchObject({ slowInFlight: 7, maxSlowInFlight: 7 });
  world.offer('f1', 20);
  expect(ids(startAll(world.scheduler))).toEqual(['f1', 'f1', 'f1']);
});

test('a tenant whose oldest request keeps us waiting counts as slow until it answers', () => {
  const world = setup({ maxInFlight: 10, fastSharePercent: 30 });
  answer(world, 'f1', FAST_MS);
  world.offer('f1', 6);
  const waiting = startAll(world.scheduler);
  world.offer('n1', 20);
  expect(startAll(world.scheduler)).toHaveLength(4);
  expect(world.scheduler.stats().slowInFlight).toBe(4);
  world.scheduler.recheckCaps(1_000);
  expect(world.scheduler.stats().slowInFlight).toBe(10);
  end(world.scheduler, waiting, 1_001);
  expect(world.scheduler.stats().slowInFlight).toBe(4);
});

test("slow endpoints leave a part of their tenant's cap to the fast ones it has", () => {
  const world = setup({ capOf: () => 10, slowEndpointSharePercent: 70 });
  answer(world, 'a1', FAST_MS);
  answer(world, 'a2', SLOW_MS);
  world.offer('a2', 20);
  world.offer('a3', 20);
  expect(startAll(world.scheduler, SLOW_MS)).toHaveLength(7);
  world.offer('a1', 20);
  expect(ids(startAll(world.scheduler, SLOW_MS))).toEqual(['a1', 'a1', 'a1']);
});

test('a tenant without fast endpoints has all of its cap', () => {
  const world = setup({ capOf: () => 10, slowEndpointSharePercent: 70 });
  answer(world, 'a1', SLOW_MS);
  world.offer('a1', 20);
  expect(startAll(world.scheduler)).toHaveLength(10);
});

test('slots that an earlier owner may still send count against the caps until their time is over', () => {
  const { scheduler, lane } = setup({ capOf: () => 2 });
  const work: Work = { tenantId: 'a', bytes: 7, endpointIds: ['a1', 'a2', 'a3'] };
  scheduler.offer(lane, work, [2]);
  const held = [scheduler.hold(lane, work, 0, 500), scheduler.hold(lane, work, 1, 800)];
  expect(scheduler.stats()).toMatchObject({ queuedSlots: 3, inFlight: 0, heldBytes: 7 });
  expect(startAll(scheduler)).toHaveLength(0);
  expect(scheduler.nextWakeMs).toBe(500);
  expect(ids(startAll(scheduler, 500))).toHaveLength(1);
  expect(scheduler.settleHeld(held[1]!)).toBe(true);
  expect(scheduler.settleHeld(held[1]!)).toBe(false);
  const rest = startAll(scheduler, 500);
  expect(rest).toHaveLength(1);
  expect(scheduler.stats()).toMatchObject({ queuedSlots: 0, inFlight: 2 });
});

test('a held slot whose time is over is the next of its endpoint', () => {
  const { scheduler, lane, offer } = setup();
  offer('a1', 2);
  const held = scheduler.hold(lane, { tenantId: 'a', bytes: 1, endpointIds: ['a1'] }, 0, 100);
  expect(scheduler.next(100)).toBe(held);
  expect(scheduler.settleHeld(held)).toBe(false);
});

test('all that is under way in a lane is told, with what is left of held slots', () => {
  const { scheduler, lane, offer } = setup();
  const other: Lane = scheduler.openLane(0);
  scheduler.offer(other, { tenantId: 'a', bytes: 1, endpointIds: ['a9'] }, [0]);
  offer('a1', 2);
  const [first] = startAll(scheduler);
  const held = scheduler.hold(lane, { tenantId: 'a', bytes: 1, endpointIds: ['a2'] }, 0, 500);
  scheduler.release(first!, 1);
  offer('a3');
  const told = [...scheduler.underWay(lane, 200)].map(({ slot, heldForMs }) => [slot.endpointId, heldForMs]);
  expect(told.toSorted()).toEqual([
    ['a1', null],
    ['a1', null],
    [held.endpointId, 300],
  ]);
});
