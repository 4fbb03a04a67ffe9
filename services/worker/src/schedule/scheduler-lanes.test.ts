import { expect, test } from 'vitest';
import { makeScheduler } from '../../test/make-scheduler.ts';
import type { Lane, Slot, Work } from './lane.ts';

const CAP = 6;
const NOW = 0;

/** A tenant that moves from lane 1 to lanes 2 and 3, which share its cap from then on. */
function setup() {
  let lanes = [1];
  const scheduler = makeScheduler<Work>({
    capOf: () => CAP / lanes.length,
    wholeCapOf: () => CAP,
    limitsOf: () => ({ maxConcurrency: null, maxPerSec: null, host: null }),
  });
  const opened = [1, 2, 3].map((number) => scheduler.openLane(number));
  const fill = (lane: Lane, tenantId = 'a') => {
    const endpointIds = Array.from({ length: 10 }, (_, i) => `${tenantId}${lane.number}#${i}`);
    scheduler.offer(
      lane,
      { tenantId, bytes: 1, endpointIds },
      endpointIds.map((_, i) => i),
    );
  };
  const startAll = (): Slot<Work>[] => {
    const started: Slot<Work>[] = [];
    for (let slot = scheduler.next(NOW); slot !== null; slot = scheduler.next(NOW)) started.push(slot);
    return started;
  };
  const move = (): void => {
    lanes = [1, 2, 3];
  };
  return { scheduler, opened, fill, startAll, move };
}

test('a tenant that changes lanes is never over its cap, whatever is in flight in the old ones', () => {
  const { scheduler, opened, fill, startAll, move } = setup();
  fill(opened[0]!);
  const before = startAll();
  expect(before).toHaveLength(CAP);
  move();
  for (const lane of opened.slice(1)) fill(lane);
  expect(startAll()).toEqual([]);
  const numbers: number[] = [];
  for (const slot of before) {
    scheduler.release(slot, 1);
    const started = startAll();
    expect(started.length).toBeLessThanOrEqual(1);
    numbers.push(...started.map(({ parcel }) => parcel.lane.number));
  }
  // Each of the three has its share now.
  expect(numbers.sort()).toEqual([1, 1, 2, 2, 3, 3]);
});

test('a tenant at its cap in another lane keeps up nobody else', () => {
  const { opened, fill, startAll, move } = setup();
  fill(opened[0]!);
  startAll();
  move();
  fill(opened[1]!);
  fill(opened[1]!, 'b');
  expect(startAll().map(({ endpointId }) => endpointId[0])).toEqual(['b', 'b']);
});
