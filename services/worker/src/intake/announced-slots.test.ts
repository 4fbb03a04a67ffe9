import { encodeSettled, mintEndpointId } from '@posthorn/contracts';
import { expect, test } from 'vitest';
import { makeHeaders, NOW } from '../../test/factories.ts';
import { type Owner, type OwnerOptions, ownLane } from '../../test/fake-lane.ts';
import { createFakeLane, type FakeLane } from '../../test/fake-partition.ts';

const ENDPOINTS = Array.from({ length: 2 }, () => mintEndpointId(NOW));

/** Hands the lane over with what is in flight. */
function handOver(lane: FakeLane, from: Owner, options: OwnerOptions = {}): Owner {
  for (const each of [from.deliveries, from.overflow]) each.commit(true);
  for (const each of [from.deliveries, from.overflow]) each.lose();
  return ownLane(lane, { ...options, clock: from.clock });
}

const announce = (lane: FakeLane, topic: 'deliveries' | 'overflow', offset: number, slot = 0) =>
  lane.overflow.append(encodeSettled({ topic, offset, slot }), Buffer.alloc(0));

/** The first record of a lane is under way when the lane is handed over. */
function setup(headers = makeHeaders()) {
  const lane = createFakeLane();
  lane.deliveries.append(headers);
  const first = ownLane(lane);
  first.deliveries.pump();
  first.begin();
  return { lane, headers, first, second: handOver(lane, first) };
}

test.each(['before', 'after'])(
  'what an earlier owner put aside is sent when it comes back %s he says so',
  (when) => {
    const { lane, headers, second } = setup();
    second.deliveries.pump();
    lane.deliveries.append({ ...headers, ph_bounces: '1' });
    if (when === 'before') second.deliveries.pump();
    announce(lane, 'deliveries', 0);
    second.overflow.pump();
    second.deliveries.pump();
    expect(second.begin()?.work.bounces).toBe(1);
    second.clock.advance(60_000);
    expect(second.begin()).toBeNull();
  },
);

test('a copy of what an earlier owner is at is one', () => {
  const { lane, headers, second } = setup();
  lane.deliveries.append(headers);
  second.deliveries.pump(2);
  expect([second.begin(), second.deliveries.isDone(1)]).toEqual([null, true]);
});

test('an announcement of what is known as finished is finished with its record', () => {
  const lane = createFakeLane();
  lane.deliveries.append(makeHeaders({ slots: ENDPOINTS }));
  const first = ownLane(lane);
  first.deliveries.pump();
  first.end(first.begin()!);
  const second = handOver(lane, first);
  announce(lane, 'deliveries', 0);
  second.overflow.pump();
  second.deliveries.pump();
  expect(second.overflow.isDone(0)).toBe(true);
});

test('what is announced while its record is passed over for want of room is not sent', async () => {
  const lane = createFakeLane();
  const others = 4;
  for (let i = 0; i < others; i++) lane.overflow.append(makeHeaders({ tenantId: `t${i}` }));
  const headers = makeHeaders({ slots: ENDPOINTS });
  lane.overflow.append(headers);
  const first = ownLane(lane);
  first.overflow.pump(10);
  const slots = Array.from({ length: others + 1 }, () => first.begin()!);
  const underWay = slots.find(({ work }) => work.record.offset === others)!;
  for (const slot of slots) if (slot !== underWay) first.scheduler.putBack(slot);
  const second = handOver(lane, first, { maxLaneSlots: others });
  second.overflow.pump(10);
  expect([...second.overflow.passedOver]).toEqual([others]);
  announce(lane, 'overflow', others, underWay.index);
  second.overflow.pump();
  second.clock.advance(60_000);
  const sent = await second.drain();
  expect(sent.map(({ endpointId }) => endpointId)).not.toContain(underWay.endpointId);
  expect([sent.length, second.overflow.isDone(others)]).toEqual([others + 1, true]);
});

test.each(['deliveries', 'overflow'] as const)(
  'nothing of a lane starts before what is held in its %s was read, or for long',
  (topic) => {
    const lane = createFakeLane();
    for (let i = 0; i < 2; i++) lane.deliveries.append(makeHeaders());
    lane[topic].append(makeHeaders());
    const first = ownLane(lane);
    for (const side of [first.deliveries, first.overflow]) side.pump(10);
    const slots = Array.from({ length: 3 }, () => first.begin()!);
    const isLast = ({ work: { record } }: (typeof slots)[number]) =>
      record.topic === topic && record.offset === lane[topic].records.length - 1;
    const underWay = slots.find(isLast)!;
    for (const slot of slots) if (slot !== underWay) first.scheduler.putBack(slot);
    const second = handOver(lane, first, { cap: 1 });
    second.deliveries.pump();
    expect(second.begin()).toBeNull();
    for (const side of [second.deliveries, second.overflow]) side.pump(10);
    expect(second.begin()).toBeNull();
    second.clock.advance(60_000);
    second.tick();
    expect(second.begin()).not.toBeNull();
  },
);

test('a lane whose held slots cannot be read starts after half a second all the same', () => {
  const lane = createFakeLane();
  lane.deliveries.append(makeHeaders());
  lane.overflow.append(makeHeaders());
  const first = ownLane(lane);
  for (const side of [first.deliveries, first.overflow]) side.pump(10);
  const slots = Array.from({ length: 2 }, () => first.begin()!);
  first.scheduler.putBack(slots.find(({ work }) => work.record.topic === 'deliveries')!);
  const second = handOver(lane, first);
  second.deliveries.pump();
  second.clock.advance(490);
  second.tick();
  expect(second.begin()).toBeNull();
  second.clock.advance(20);
  second.tick();
  expect(second.begin()).not.toBeNull();
});
