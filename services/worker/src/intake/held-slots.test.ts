import { decodeSettled, encodeSettled, mintEndpointId } from '@posthorn/contracts';
import { expect, test } from 'vitest';
import { LANE, makeHeaders, NOW } from '../../test/factories.ts';
import { type Owner, ownLane } from '../../test/fake-lane.ts';
import { createFakeLane, type FakeLane } from '../../test/fake-partition.ts';

/** A worker with requests under way hands its lane over; what it says of them is up to the test. */
function handOver(lane: FakeLane, before: Owner): Owner {
  for (const each of [before.deliveries, before.overflow]) each.commit(true);
  const after = ownLane(lane, { clock: before.clock });
  for (const each of [before.deliveries, before.overflow]) each.lose();
  return after;
}

function setup(records = 1) {
  const lane = createFakeLane();
  for (let i = 0; i < records; i++) lane.deliveries.append(makeHeaders({ slots: [ENDPOINT] }));
  const first = ownLane(lane);
  first.deliveries.pump(10);
  const begun = first.begin()!;
  return { lane, first, begun };
}

const ENDPOINT = mintEndpointId(NOW);
/** What is left of the attempt's deadline, 8 s for settling and the margin of the new owner. */
const HELD_MS = 15_000 + 8_000 + 1_000;

test('what an earlier owner has under way is not sent until its time is over', () => {
  const { lane, first } = setup();
  const second = handOver(lane, first);
  second.deliveries.pump(10);
  expect(second.begin()).toBeNull();
  expect(second.intake.stats().heldSlots).toBe(1);
  second.clock.advance(HELD_MS - 10);
  expect(second.begin()).toBeNull();
  second.clock.advance(20);
  expect(second.begin()?.work.record.offset).toBe(0);
  second.tick();
  expect(second.intake.stats().heldSlots).toBe(0);
});

test('what he announces as settled is complete, and so is the announcement', () => {
  const { lane, first } = setup();
  const second = handOver(lane, first);
  second.deliveries.pump(10);
  lane.overflow.append(encodeSettled({ topic: 'deliveries', offset: 0, slot: 0 }));
  second.overflow.pump(10);
  expect(second.deliveries.isDone(0)).toBe(true);
  expect(second.overflow.isDone(0)).toBe(true);
  second.clock.advance(HELD_MS + 10);
  expect(second.begin()).toBeNull();
});

test('an announcement that is read before its slot waits for it', () => {
  const { lane, first } = setup();
  const second = handOver(lane, first);
  lane.overflow.append(encodeSettled({ topic: 'deliveries', offset: 0, slot: 0 }));
  second.overflow.pump(10);
  expect(second.overflow.isDone(0)).toBe(false);
  second.deliveries.pump(10);
  expect([second.deliveries.isDone(0), second.overflow.isDone(0)]).toEqual([true, true]);
  second.clock.advance(HELD_MS + 10);
  expect(second.begin()).toBeNull();
});

test('an announcement of what is finished, or was sent again by then, changes nothing', () => {
  const { lane, first } = setup(2);
  const second = handOver(lane, first);
  second.deliveries.pump(10);
  second.end(second.begin()!);
  second.clock.advance(HELD_MS + 10);
  const again = second.begin()!;
  lane.overflow.append(encodeSettled({ topic: 'deliveries', offset: 0, slot: 0 }));
  lane.overflow.append(encodeSettled({ topic: 'deliveries', offset: 1, slot: 0 }));
  second.overflow.pump(10);
  expect([second.overflow.isDone(0), second.overflow.isDone(1)]).toEqual([true, true]);
  expect(second.deliveries.isDone(again.work.record.offset)).toBe(false);
  second.end(again);
  expect(second.deliveries.isDone(again.work.record.offset)).toBe(true);
});

test('a slot that nobody settled is passed on as held when the lane moves again', () => {
  const { lane, first } = setup();
  const second = handOver(lane, first);
  second.deliveries.pump(10);
  second.clock.advance(10_000);
  const third = handOver(lane, second);
  third.deliveries.pump(10);
  expect(third.begin()).toBeNull();
  third.clock.advance(HELD_MS - 10_000 - 10);
  expect(third.begin()).toBeNull();
  third.clock.advance(20);
  expect(third.begin()).not.toBeNull();
});

test('a held slot counts against the cap of its tenant', () => {
  const { lane, first } = setup(3);
  for (const each of [first.deliveries, first.overflow]) each.commit(true);
  const second = ownLane(lane, { clock: first.clock, cap: 2 });
  second.deliveries.pump(10);
  expect(second.begin()).not.toBeNull();
  expect(second.begin()).toBeNull();
});

test('a malformed announcement is set aside by name', () => {
  const lane = createFakeLane();
  lane.overflow.append({ ph_settled: 'somewhere' });
  const owner = ownLane(lane);
  owner.overflow.pump(10);
  expect(owner.counts.setAside).toBe(1);
  expect(owner.overflow.isDone(0)).toBe(true);
});

test.each(['deliveries', 'overflow'] as const)(
  'what was settled after the last commit of %s could say it is announced with the loss',
  (side) => {
    const owner = ownLane(createFakeLane());
    owner[side].handler.lost([{ offset: 3, slot: 1 }]);
    expect(owner.held).toMatchObject([{ topic: 'overflow', partition: LANE }]);
    expect(decodeSettled(owner.held[0]!.headers)).toEqual({ topic: side, offset: 3, slot: 1 });
  },
);
