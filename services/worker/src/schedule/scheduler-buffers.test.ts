import { expect, test } from 'vitest';
import { makeScheduler } from '../../test/make-scheduler.ts';
import type { Work } from './lane.ts';

interface Item extends Work {
  readonly name: string;
}

/** A lane for 1,000 slots and 1,000,000 bytes, a quarter of it for each tenant. */
function setup() {
  const roomFor: string[] = [];
  const scheduler = makeScheduler<Item>({
    laneBounds: { maxSlots: 1_000, maxBytes: 4_000_000, tenantSharePercent: 25 },
    onTenantRoom: (lane, tenantId) => void roomFor.push(`${lane.number}:${tenantId}`),
  });
  const lane = scheduler.openLane(0);
  const offer = (tenantId: string, name: string, slots = 1, bytes = 1) => {
    const endpointIds = Array.from({ length: slots }, (_, i) => `${tenantId}${i}`);
    return scheduler.offer(lane, { tenantId, name, bytes, endpointIds }, [...endpointIds.keys()]);
  };
  return { scheduler, lane, roomFor, offer };
}

test('a tenant may fill its share of a lane, in slots and in bytes, and others theirs', () => {
  const { scheduler, lane, offer } = setup();
  for (let i = 0; i < 25; i++) offer('a', `a${i}`, 10);
  expect(scheduler.queuedOf(lane, 'a')).toBe(250);
  expect(scheduler.hasRoomFor(lane, 'a', 1, 1)).toBe(false);
  expect(scheduler.hasRoomFor(lane, 'b', 250, 1)).toBe(true);
  offer('b', 'large', 1, 1_000_000);
  expect(scheduler.hasRoomFor(lane, 'b', 1, 1)).toBe(false);
});

test('a record larger than the share is taken by a tenant that has nothing there', () => {
  const { scheduler, lane, offer } = setup();
  expect(scheduler.hasRoomFor(lane, 'a', 64, 2_000_000)).toBe(true);
  offer('a', 'large', 64, 2_000_000);
  expect(scheduler.hasRoomFor(lane, 'a', 1, 1)).toBe(false);
});

test('room is announced once, when a tenant that was refused has drained to half of its share', () => {
  const { scheduler, lane, offer, roomFor } = setup();
  offer('a', 'a', 250);
  for (let i = 0; i < 125; i++) scheduler.next(0);
  expect(roomFor).toEqual([]);
  offer('a', 'more', 125);
  scheduler.hasRoomFor(lane, 'a', 1, 1);
  for (let i = 0; i < 124; i++) scheduler.next(0);
  expect(roomFor).toEqual([]);
  scheduler.next(0);
  scheduler.next(0);
  expect(roomFor).toEqual(['0:a']);
});

test('the tail leaves by whole records of which nothing was started, newest first, in the order they came', () => {
  const { scheduler, lane, offer } = setup();
  for (const name of ['one', 'two', 'three', 'four']) offer('a', name, 2);
  const started = scheduler.next(0)!;
  const names = (slots: number) => scheduler.takeTail(lane, 'a', slots).map(({ work }) => work.name);
  expect(started.work.name).toBe('one');
  expect(names(5)).toEqual(['three', 'four']);
  expect(names(100)).toEqual(['two']);
  expect(names(100)).toEqual([]);
  expect(scheduler.queuedOf(lane, 'a')).toBe(1);
  expect(scheduler.stats().heldBytes).toBe(1);
});

test('a record leaves with the slots that are left of it', () => {
  const { scheduler, lane } = setup();
  const work: Item = { tenantId: 'a', name: 'one', bytes: 1, endpointIds: ['a0', 'a1', 'a2'] };
  scheduler.offer(lane, work, [0, 2]);
  expect(scheduler.takeTail(lane, 'a', 100)).toEqual([{ work, indexes: [0, 2] }]);
  expect(scheduler.next(0)).toBeNull();
});

test('records of which a slot is held, was put back or belongs to another lane stay', () => {
  const { scheduler, lane, offer } = setup();
  const other = scheduler.openLane(0);
  scheduler.offer(other, { tenantId: 'a', name: 'elsewhere', bytes: 1, endpointIds: ['a9'] }, [0]);
  offer('a', 'back');
  while (scheduler.next(0)?.work.name !== 'back');
  for (const { slot } of [...scheduler.underWay(lane, 0)]) scheduler.putBack(slot);
  const held: Item = { tenantId: 'a', name: 'held', bytes: 1, endpointIds: ['a0', 'a1'] };
  scheduler.offer(lane, held, [1]);
  scheduler.hold(lane, held, 0, 1_000);
  expect(scheduler.takeTail(lane, 'a', 100)).toEqual([]);
});

test('lanes of one number have their own buffers and one cap', () => {
  const scheduler = makeScheduler<Item>({ capOf: () => 1 });
  const [deliveries, overflow] = [scheduler.openLane(0), scheduler.openLane(0)];
  for (const lane of [deliveries, overflow])
    scheduler.offer(lane, { tenantId: 'a', name: 'a', bytes: 5, endpointIds: ['a0'] }, [0]);
  expect([deliveries.heldBytes, overflow.heldBytes]).toEqual([5, 5]);
  const first = scheduler.next(0)!;
  expect(scheduler.next(0)).toBeNull();
  scheduler.loseLane(first.parcel.lane);
  expect(scheduler.next(0)).toBeNull();
  scheduler.settle(first);
  expect(scheduler.next(0)?.parcel.lane).toBe(overflow);
});
