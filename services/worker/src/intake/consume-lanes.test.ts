import { expect, test } from 'vitest';
import { LANE, makeHeaders, makeRecord } from '../../test/factories.ts';
import { type Owner, type OwnerOptions, ownLane } from '../../test/fake-lane.ts';
import { createFakeLane } from '../../test/fake-partition.ts';

const ENDPOINTS = ['1', '2', '3'].map((digit) => `ep_${digit.repeat(32)}`);

function setup(options: OwnerOptions = {}) {
  const { intake, scheduler, counts, lines, deliveries } = ownLane(createFakeLane(), options);
  return { intake, scheduler, counts, lines, lane: deliveries.handler };
}

test('every endpoint of a record is a slot of its own', () => {
  const { scheduler, counts, lane } = setup();
  const record = makeRecord(makeHeaders({ slots: ENDPOINTS, attempt: 2, extra: { ph_bounces: '4' } }));
  expect(lane.offer(record)).toBe(true);
  expect(counts.queued).toBe(1);
  const slots = [scheduler.next(0)!, scheduler.next(0)!, scheduler.next(0)!];
  expect(slots.map((slot) => slot.endpointId)).toEqual(ENDPOINTS);
  expect(slots[0]!.work).toMatchObject({ tenantId: 'acme', bounces: 4, delivery: { attempt: 2 } });
  expect(slots[0]!.work.payload).toBe(record.value);
  expect(record.completed).toEqual([]);
});

test('slots that an earlier owner finished are not tried again', () => {
  const { scheduler, counts, lane } = setup();
  lane.offer(makeRecord(makeHeaders({ slots: ENDPOINTS }), { done: [0, 2] }));
  expect([scheduler.next(0)?.endpointId, scheduler.next(0)]).toEqual([ENDPOINTS[1], null]);
  expect(lane.offer(makeRecord(makeHeaders({ slots: ENDPOINTS }), { done: [0, 1, 2] }))).toBe(true);
  expect(counts.queued).toBe(1);
});

test('a record for which there is no room is refused', () => {
  const { scheduler, lane } = setup({ maxLaneSlots: 4 });
  expect(lane.offer(makeRecord(makeHeaders({ slots: ENDPOINTS })))).toBe(true);
  expect(lane.offer(makeRecord(makeHeaders({ slots: ENDPOINTS, tenantId: 'other' })))).toBe(false);
  expect(scheduler.stats().queuedSlots).toBe(3);
});

test.each([
  ['of an unknown version', { ph_v: '9' }],
  ['without an event', { ce_id: '' }],
  ['with an endpoint that is none', { ph_slots: 'ep_1,ep_2' }],
  ['with an attempt that is no number', { ph_attempt: 'two' }],
])('a record %s is named in the log and passed over', (_what, extra) => {
  const { lines, counts, lane } = setup();
  const record = makeRecord(makeHeaders({ extra }));
  expect(lane.offer(record)).toBe(true);
  expect(record.completed).toEqual([undefined]);
  expect(counts).toMatchObject({ queued: 0, setAside: 1 });
  expect(lines).toMatchObject([
    {
      level: 'error',
      msg: 'record set aside',
      topic: 'deliveries',
      partition: LANE,
      offset: 7,
    },
  ]);
});

test('a garbled count of bounces starts the doubling again', () => {
  const { scheduler, lane } = setup();
  lane.offer(makeRecord(makeHeaders({ extra: { ph_bounces: '-3x' } })));
  expect(scheduler.next(0)!.work.bounces).toBe(0);
});

test('a lost lane drops what it had queued', () => {
  const { scheduler, lane } = setup();
  lane.offer(makeRecord(makeHeaders()));
  lane.lost();
  expect(scheduler.next(0)).toBeNull();
  expect(lane.offer(makeRecord(makeHeaders()))).toBe(false);
});

test('slots are counted as the record names them', () => {
  const { intake } = setup();
  const count = (ph_slots: string | undefined) =>
    intake.slotCount({ headers: ph_slots === undefined ? {} : { ph_slots }, value: Buffer.alloc(0) });
  expect([count(ENDPOINTS.join(',')), count(ENDPOINTS[0]), count(undefined)]).toEqual([3, 1, 1]);
});

test('a lane that was full is read on when half of it is free', () => {
  const lane = createFakeLane();
  for (const tenantId of ['a', 'b', 'c', 'd', 'e'])
    for (let i = 0; i < 128; i++) lane.deliveries.append(makeHeaders({ tenantId }));
  const owner = ownLane(lane, { maxLaneSlots: 512, cap: 1_000 });
  owner.deliveries.pump(1_000);
  expect(owner.deliveries.refused).toBe(true);
  for (let starts = 0; starts < 255; starts++) owner.begin();
  expect(owner.deliveries.refused).toBe(true);
  owner.begin();
  expect(owner.deliveries.refused).toBe(false);
});

const isDrained = (owner: Owner) => owner.intake.isDrained(LANE, 'acme', owner.stats());

test('a lane is drained of a tenant when all was read and nothing of it is left, whatever others have', () => {
  const lane = createFakeLane();
  const owner = ownLane(lane);
  expect(isDrained(owner)).toBe(true);
  lane.deliveries.append(makeHeaders({ tenantId: 'acme' }));
  expect(isDrained(owner)).toBe(false);
  owner.deliveries.pump();
  expect(isDrained(owner)).toBe(false);
  const slot = owner.begin()!;
  expect(isDrained(owner)).toBe(false);
  owner.end(slot);
  lane.deliveries.append(makeHeaders({ tenantId: 'other' }));
  owner.deliveries.pump();
  expect(isDrained(owner)).toBe(true);
});

test('a lane that is paused is not drained: what comes next is not known', () => {
  const owner = ownLane(createFakeLane());
  owner.deliveries.parked = true;
  expect(isDrained(owner)).toBe(false);
});

test('a lane is not drained of a tenant with a record on its way to the overflow', async () => {
  const lane = createFakeLane();
  for (let i = 0; i < 129; i++) lane.deliveries.append(makeHeaders({ tenantId: 'acme' }));
  const owner = ownLane(lane, { maxLaneSlots: 512, isLate: true });
  owner.deliveries.pump(1_000);
  for (let slot = owner.begin(); slot !== null; slot = owner.begin()) owner.end(slot);
  expect([owner.produced.length, isDrained(owner)]).toEqual([1, false]);
  expect(await owner.drain()).toHaveLength(1);
  expect(isDrained(owner)).toBe(true);
});
