import { expect, test } from 'vitest';
import { makeScheduler } from '../../test/make-scheduler.ts';
import type { Lane, Work } from './lane.ts';
import type { Scheduler, SchedulerOptions } from './scheduler.ts';

const NOW = 0;

interface Item extends Work {
  readonly name: string;
}

function setup(options: Partial<SchedulerOptions> = {}) {
  const roomIn: number[] = [];
  const scheduler = makeScheduler<Item>({
    maxInFlight: 100,
    maxUnsettled: 100,
    laneBounds: { maxSlots: 100, maxBytes: 1_000, tenantSharePercent: 100 },
    capOf: () => 10,
    onRoom: (lane) => void roomIn.push(lane.number),
    ...options,
  });
  return { scheduler, lane: scheduler.openLane(0), roomIn };
}

const item = (tenantId: string, name: string, slots = 1, bytes = 1): Item => ({
  tenantId,
  name,
  bytes,
  endpointIds: Array.from({ length: slots }, (_, i) => `${name}#${i}`),
});
const all = (work: Work) => work.endpointIds.map((_, index) => index);
const offer = (scheduler: Scheduler<Item>, lane: Lane, work: Item) => scheduler.offer(lane, work, all(work));
const take = (scheduler: Scheduler<Item>, count: number) =>
  Array.from({ length: count }, () => scheduler.next(NOW)?.endpointId ?? null);

test('a tenant gets its slots first come, first served', () => {
  const { scheduler, lane } = setup();
  offer(scheduler, lane, item('a', 'one', 2));
  offer(scheduler, lane, item('a', 'two'));
  expect(take(scheduler, 4)).toEqual(['one#0', 'one#1', 'two#0', null]);
});

test('a deep queue delays another tenant by one turn', () => {
  const { scheduler, lane } = setup();
  offer(scheduler, lane, item('deep', 'deep', 50));
  expect(take(scheduler, 2)).toEqual(['deep#0', 'deep#1']);
  offer(scheduler, lane, item('other', 'other'));
  expect(take(scheduler, 2)).toContain('other#0');
});

test('tenants of a crowded lane get as many turns as those of an empty one', () => {
  const { scheduler, lane } = setup();
  const second = scheduler.openLane(1);
  offer(scheduler, lane, item('a', 'a', 5));
  offer(scheduler, lane, item('b', 'b', 5));
  offer(scheduler, second, item('c', 'c', 5));
  const taken = take(scheduler, 6).map((id) => id?.[0]);
  expect(taken).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
});

test('only slots that are not done are queued', () => {
  const { scheduler, lane } = setup();
  scheduler.offer(lane, item('a', 'one', 4), [1, 3]);
  expect(take(scheduler, 3)).toEqual(['one#1', 'one#3', null]);
});

test('a tenant at its cap waits for one of its own to settle while others go on', () => {
  const { scheduler, lane } = setup({ capOf: (tenant) => (tenant === 'a' ? 1 : 10) });
  offer(scheduler, lane, item('a', 'a', 2));
  offer(scheduler, lane, item('b', 'b', 2));
  const first = scheduler.next(NOW)!;
  expect(take(scheduler, 3)).toEqual(['b#0', 'b#1', null]);
  expect(scheduler.stats().tenantsAtCap).toBe(1);
  scheduler.settle(first);
  expect(take(scheduler, 1)).toEqual(['a#1']);
});

test('a raised quota holds at the next recheck although nothing settled', () => {
  let cap = 1;
  const { scheduler, lane } = setup({ capOf: () => cap });
  offer(scheduler, lane, item('a', 'a', 3));
  expect(take(scheduler, 2)).toEqual(['a#0', null]);
  cap = 2;
  expect(take(scheduler, 1)).toEqual([null]);
  scheduler.recheckCaps(NOW);
  expect(take(scheduler, 2)).toEqual(['a#1', null]);
});

test('a lowered quota holds for the next slot', () => {
  let cap = 3;
  const { scheduler, lane } = setup({ capOf: () => cap });
  offer(scheduler, lane, item('a', 'a', 4));
  const taken = [scheduler.next(NOW)!, scheduler.next(NOW)!];
  cap = 1;
  scheduler.settle(taken[0]!);
  expect(take(scheduler, 1)).toEqual([null]);
  scheduler.settle(taken[1]!);
  expect(take(scheduler, 2)).toEqual(['a#2', null]);
});

test('the worker total holds over all tenants', () => {
  const { scheduler, lane } = setup({ maxInFlight: 2 });
  offer(scheduler, lane, item('a', 'a', 3));
  offer(scheduler, lane, item('b', 'b', 3));
  const first = scheduler.next(NOW)!;
  expect(take(scheduler, 2)).toEqual(['b#0', null]);
  scheduler.settle(first);
  expect(take(scheduler, 2)).toEqual(['a#1', null]);
});

test('a slot whose request has ended holds no cap, but is unsettled', () => {
  const { scheduler, lane } = setup({ capOf: () => 1, maxUnsettled: 2 });
  offer(scheduler, lane, item('a', 'a', 3));
  const first = scheduler.next(NOW)!;
  scheduler.release(first, 0);
  scheduler.release(first, 0);
  const second = scheduler.next(NOW)!;
  expect(second.endpointId).toBe('a#1');
  scheduler.release(second, 0);
  expect(scheduler.stats()).toMatchObject({ inFlight: 0, unsettled: 2, heldBytes: 1 });
  expect(take(scheduler, 1)).toEqual([null]);
  scheduler.settle(first);
  expect(take(scheduler, 2)).toEqual(['a#2', null]);
});

test('nothing starts while any reason to pause stands', () => {
  const { scheduler, lane } = setup();
  offer(scheduler, lane, item('a', 'a', 2));
  scheduler.pause('stop');
  scheduler.pause('produce');
  scheduler.resume('stop');
  expect(take(scheduler, 1)).toEqual([null]);
  scheduler.resume('produce');
  expect(take(scheduler, 1)).toEqual(['a#0']);
});

test('a slot that was put back is the next of its endpoint and holds no cap', () => {
  const { scheduler, lane } = setup({ capOf: () => 1 });
  const [first, second] = ['first', 'second'].map((name) => ({ ...item('a', 'one'), name }));
  offer(scheduler, lane, first!);
  offer(scheduler, lane, second!);
  scheduler.putBack(scheduler.next(NOW)!);
  expect(scheduler.stats()).toMatchObject({ inFlight: 0, unsettled: 0 });
  expect(scheduler.next(NOW)?.work.name).toBe('first');
});

test('a record too many is refused whole, and room is announced at half', () => {
  const { scheduler, lane, roomIn } = setup({
    laneBounds: { maxSlots: 4, maxBytes: 1_000, tenantSharePercent: 100 },
  });
  expect(offer(scheduler, lane, item('a', 'a', 3))).toBe(true);
  expect(offer(scheduler, lane, item('a', 'b', 2))).toBe(false);
  expect(scheduler.stats()).toMatchObject({ queuedSlots: 3, fullLanes: 1 });
  expect(roomIn).toEqual([]);
  scheduler.next(NOW);
  expect(roomIn).toEqual([0]);
});

test('bytes are held until the last slot of a record has settled', () => {
  const { scheduler, lane, roomIn } = setup({
    laneBounds: { maxSlots: 100, maxBytes: 100, tenantSharePercent: 100 },
  });
  offer(scheduler, lane, item('a', 'a', 2, 90));
  expect(offer(scheduler, lane, item('a', 'b', 1, 20))).toBe(false);
  const taken = [scheduler.next(NOW)!, scheduler.next(NOW)!];
  scheduler.settle(taken[0]!);
  expect(scheduler.stats().heldBytes).toBe(90);
  scheduler.settle(taken[1]!);
  expect(scheduler.stats().heldBytes).toBe(0);
  expect(roomIn).toEqual([0]);
});

test('a record larger than the buffer is taken by an empty lane', () => {
  const { scheduler, lane } = setup({ laneBounds: { maxSlots: 2, maxBytes: 10, tenantSharePercent: 100 } });
  expect(offer(scheduler, lane, item('a', 'a', 5, 50))).toBe(true);
  expect(offer(scheduler, lane, item('a', 'b'))).toBe(false);
});

test('a lost lane drops what is queued and counts what is in flight until it settles', () => {
  const { scheduler, lane } = setup({ capOf: () => 2 });
  offer(scheduler, lane, item('a', 'old', 4));
  const inFlight = [scheduler.next(NOW)!, scheduler.next(NOW)!];
  scheduler.loseLane(lane);
  expect(scheduler.offer(lane, item('a', 'late'), [0])).toBe(false);
  const again = scheduler.openLane(0);
  offer(scheduler, again, item('a', 'new', 2));
  expect(take(scheduler, 1)).toEqual([null]);
  scheduler.settle(inFlight[0]!);
  expect(take(scheduler, 2)).toEqual(['new#0', null]);
  scheduler.putBack(inFlight[1]!);
  expect(take(scheduler, 2)).toEqual(['new#1', null]);
});
