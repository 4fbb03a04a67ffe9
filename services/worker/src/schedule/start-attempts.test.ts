import { createFakeClock } from '@posthorn/testkit';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { makeScheduler } from '../../test/make-scheduler.ts';
import type { Slot, Work } from './lane.ts';
import { createAttemptStarter } from './start-attempts.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Attempts end when told to. */
function setup(cap = 1_000) {
  const clock = createFakeClock();
  const open = { fence: true, cap };
  const started: Slot<Work>[] = [];
  const ends: ((end: 'settled' | 'put_back') => void)[] = [];
  const scheduler = makeScheduler<Work>({ capOf: () => open.cap });
  const starter = createAttemptStarter<Work>({
    scheduler,
    clock,
    mayBegin: () => open.fence,
    attempt(slot) {
      started.push(slot);
      const { promise, resolve } = Promise.withResolvers<'settled' | 'put_back'>();
      ends.push(resolve);
      return promise;
    },
  });
  const lane = scheduler.openLane(0);
  const queue = (count: number) =>
    scheduler.offer(
      lane,
      { tenantId: 'a', bytes: 1, endpointIds: Array.from({ length: count }, (_, i) => `e${i}`) },
      Array.from({ length: count }, (_, i) => i),
    );
  return { clock, scheduler, starter, started, ends, open, queue };
}
const turn = () => vi.advanceTimersByTimeAsync(0);

test('a wake starts what is queued, however often it is called', async () => {
  const { starter, started, queue } = setup();
  starter.start();
  queue(2);
  starter.wake();
  starter.wake();
  await turn();
  expect(started).toHaveLength(2);
});

test('many slots are started over several turns of the event loop', async () => {
  const { starter, started, queue } = setup();
  queue(200);
  starter.start();
  await turn();
  expect(started).toHaveLength(64);
  await vi.advanceTimersByTimeAsync(3);
  expect(started).toHaveLength(200);
});

test('a slot that ends makes room for the next of its tenant', async () => {
  const { starter, started, ends, queue } = setup(1);
  queue(2);
  starter.start();
  await turn();
  expect(started.map((slot) => slot.endpointId)).toEqual(['e0']);
  ends[0]!('settled');
  await turn();
  await turn();
  expect(started.map((slot) => slot.endpointId)).toEqual(['e0', 'e1']);
});

test('a slot that was put back is started again', async () => {
  const { starter, started, ends, queue } = setup(1);
  queue(1);
  starter.start();
  await turn();
  ends[0]!('put_back');
  await turn();
  await turn();
  expect(started.map((slot) => slot.endpointId)).toEqual(['e0', 'e0']);
});

test('nothing starts outside the fence, and all goes on once it opens', async () => {
  const { starter, started, open, queue } = setup();
  open.fence = false;
  queue(1);
  starter.start();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(started).toHaveLength(0);
  open.fence = true;
  await vi.advanceTimersByTimeAsync(100);
  expect(started).toHaveLength(1);
});

test('a raised cap is seen within a second or so', async () => {
  const { starter, started, open, queue } = setup(1);
  queue(2);
  starter.start();
  await turn();
  open.cap = 2;
  await vi.advanceTimersByTimeAsync(1_100);
  expect(started).toHaveLength(2);
});

test('a held slot is started when its time is over, not at the next regular look', async () => {
  const { clock, starter, started, queue, scheduler } = setup();
  scheduler.hold(scheduler.openLane(0), { tenantId: 'a', bytes: 1, endpointIds: ['held'] }, 0, 30);
  queue(1);
  starter.start();
  await turn();
  expect(started.map((slot) => slot.endpointId)).toEqual(['e0']);
  clock.advance(30);
  await vi.advanceTimersByTimeAsync(31);
  expect(started.map((slot) => slot.endpointId)).toEqual(['e0', 'held']);
});

test('a starter that was stopped starts nothing more', async () => {
  const { starter, started, queue } = setup();
  starter.start();
  starter.stop();
  queue(1);
  starter.wake();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(started).toHaveLength(0);
});

test('waiting until idle ends with the last slot in flight', async () => {
  const { starter, ends, queue } = setup();
  expect(await starter.whenIdle(0)).toBe(true);
  queue(2);
  starter.start();
  await turn();
  let idle: boolean | undefined;
  void starter.whenIdle(10_000).then((answer) => {
    idle = answer;
  });
  ends[0]!('settled');
  await turn();
  expect(idle).toBeUndefined();
  ends[1]!('settled');
  await turn();
  expect(idle).toBe(true);
});

test('waiting until idle ends with its time', async () => {
  const { starter, queue } = setup();
  queue(1);
  starter.start();
  await turn();
  const waiting = starter.whenIdle(500);
  await vi.advanceTimersByTimeAsync(500);
  expect(await waiting).toBe(false);
});
