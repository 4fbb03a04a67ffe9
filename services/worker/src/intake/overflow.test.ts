import { encodeOrigin, mintEndpointId } from '@posthorn/contracts';
import { expect, test } from 'vitest';
import { LANE, makeHeaders, NOW } from '../../test/factories.ts';
import { ownLane, settled } from '../../test/fake-lane.ts';
import { createFakeLane, type FakeLane } from '../../test/fake-partition.ts';
import type { DeliverySlot } from './delivery-work.ts';

/** With a lane of 512 slots a tenant's share is 128. */
const LANE_SLOTS = { maxLaneSlots: 512 };
const SHARE = 128;
/** What has been sent is remembered for no time: a copy has to be told by where it came from. */
const NOTHING_KEPT = { repeatsKeptMs: 0 };

const post = (lane: FakeLane, tenantId: string, count = 1) =>
  Array.from({ length: count }, () => lane.deliveries.append(makeHeaders({ tenantId })));
const tenantsOf = (slots: readonly { work: { tenantId: string } }[]) =>
  slots.map(({ work }) => work.tenantId);

test('what a tenant has beyond its share moves to the overflow, and its neighbour behind goes on', async () => {
  const lane = createFakeLane();
  post(lane, 'slow', SHARE + 50);
  post(lane, 'quick');
  const owner = ownLane(lane, { ...LANE_SLOTS, cap: 1 });
  owner.deliveries.pump(1_000);
  expect([owner.begin(), owner.begin()].map((slot) => slot?.work.tenantId).sort()).toEqual(['quick', 'slow']);
  expect(lane.overflow.records).toHaveLength(50);
  expect(lane.overflow.records[0]!.headers).toMatchObject({
    ce_tenant: 'slow',
    ph_origin: `deliveries:${SHARE}`,
    ph_origin_slots: '0',
  });
  expect(owner.deliveries.isDone(SHARE)).toBe(false);
  for (const move of owner.produced) move.acknowledge();
  await settled();
  expect(owner.deliveries.isDone(SHARE)).toBe(true);
});

test('everything is sent once, in the end also what was moved, and the overflow is left alone again', async () => {
  const lane = createFakeLane();
  post(lane, 'slow', 1_000);
  post(lane, 'quick', 10);
  const owner = ownLane(lane, LANE_SLOTS);
  const sent = await owner.drain();
  expect(sent).toHaveLength(1_010);
  expect(new Set(sent.map(({ work }) => work.event.eventId)).size).toBe(1_010);
  expect(owner.intake.stats()).toMatchObject({ tenants: 0, runs: 0 });
  owner.clock.advance(20_000);
  owner.tick();
  expect(owner.overflow.parked).toBe(true);
});

test('while a tenant has records in the overflow its new ones follow', async () => {
  const lane = createFakeLane();
  post(lane, 'slow', 2 * SHARE + 100);
  const owner = ownLane(lane, { ...LANE_SLOTS, cap: 1 });
  owner.deliveries.pump(1_000);
  for (const move of owner.produced.splice(0)) move.acknowledge();
  await settled();
  owner.overflow.pump(1_000);
  for (let ends = 0; ends < SHARE; ends++) owner.end(owner.begin()!);
  const moved = lane.overflow.records.length;
  post(lane, 'slow');
  post(lane, 'quick');
  owner.deliveries.pump(10);
  expect(lane.overflow.records).toHaveLength(moved + 1);
  expect(tenantsOf([owner.begin()!, owner.begin()!])).toContain('quick');
});

test('a tenant without room keeps no other from what it has in the overflow', async () => {
  const lane = createFakeLane();
  post(lane, 'stuck', 3 * SHARE);
  post(lane, 'other', SHARE + 20);
  const owner = ownLane(lane, { ...LANE_SLOTS, maxLaneSlots: 4_096, cap: 1 });
  const stuck: unknown[] = [];
  let others = 0;
  for (let turn = 0; turn < 400 && others < SHARE + 20; turn++) {
    owner.deliveries.pump(50);
    owner.overflow.pump(50);
    for (const move of owner.produced.splice(0)) move.acknowledge();
    await settled();
    owner.tick();
    for (let slot = owner.begin(); slot !== null; slot = owner.begin()) {
      if (slot.work.tenantId === 'stuck') stuck.push(slot);
      else {
        others += 1;
        owner.end(slot);
      }
    }
  }
  expect(others).toBe(SHARE + 20);
  expect(stuck).toHaveLength(1);
});

test('a rereading goes from one wanted record to the next and ends when the share is full', async () => {
  const lane = createFakeLane();
  post(lane, 'slow', 10 * SHARE);
  const owner = ownLane(lane, { ...LANE_SLOTS, cap: 1_000, maxMoves: 10_000 });
  owner.deliveries.pump(10_000);
  for (const move of owner.produced.splice(0)) move.acknowledge();
  await settled();
  owner.overflow.pump(10_000);
  const { passedOver } = owner.overflow;
  expect(passedOver.size).toBe(8 * SHARE);
  expect(owner.intake.stats().runs).toBe(1);
  for (let ends = 0; ends < 2 * SHARE; ends++) owner.end(owner.begin()!);
  owner.overflow.pump(10_000);
  expect(passedOver.size).toBe(7 * SHARE);
  expect(owner.overflow.again).toBe(null);
});

test('runs beyond the bound are merged, and nothing is lost by that', async () => {
  const lane = createFakeLane();
  for (let i = 0; i < 200; i++) for (const tenantId of ['a', 'b', 'c']) post(lane, tenantId);
  const owner = ownLane(lane, { ...LANE_SLOTS, maxRuns: 4, cap: 2 });
  owner.deliveries.pump(10_000);
  for (const move of owner.produced.splice(0)) move.acknowledge();
  await settled();
  owner.overflow.pump(10_000);
  expect(owner.intake.stats().runs).toBeLessThanOrEqual(4);
  const sent = await owner.drain();
  expect(new Set(sent.map(({ work }) => work.event.eventId)).size).toBe(600);
  expect(sent).toHaveLength(600);
});

test('beyond the moves under way the lane waits, and goes on with their acknowledgements', async () => {
  const lane = createFakeLane();
  post(lane, 'slow', SHARE + 20);
  const owner = ownLane(lane, { ...LANE_SLOTS, maxMoves: 10 });
  owner.deliveries.pump(1_000);
  expect(lane.overflow.records).toHaveLength(10);
  expect(owner.deliveries.refused).toBe(true);
  for (const move of owner.produced.splice(0, 5)) move.acknowledge();
  await settled();
  expect(owner.deliveries.refused).toBe(false);
});

test('a crash between a move and its commit makes one request', async () => {
  const lane = createFakeLane();
  post(lane, 'slow', SHARE + 30);
  const first = ownLane(lane, LANE_SLOTS);
  first.deliveries.pump(1_000);
  first.commit();
  expect(lane.overflow.records).toHaveLength(30);
  const second = ownLane(lane, { ...LANE_SLOTS, ...NOTHING_KEPT });
  const sent = await second.drain();
  expect(sent).toHaveLength(SHARE + 30);
  expect(second.counts.moves.get('overflow') ?? 0).toBeLessThanOrEqual(30);
});

test.each([
  ['the copy is read first', ['overflow', 'deliveries']],
  ['the original is read first', ['deliveries', 'overflow']],
] as const)(
  'of a copy and an original that was left unfinished one is sent when %s',
  async (_what, order) => {
    const lane = createFakeLane();
    const headers = makeHeaders({ slots: [mintEndpointId(NOW), mintEndpointId(NOW)] });
    lane.deliveries.append(headers);
    const origin = encodeOrigin({ topic: 'deliveries', offset: 0, slots: [1] });
    lane.overflow.append({ ...headers, ph_slots: headers.ph_slots!.split(',')[1]!, ...origin });
    const owner = ownLane(lane, NOTHING_KEPT);
    const sent: DeliverySlot[] = [];
    for (const side of order) {
      owner[side].pump(10);
      for (let slot = owner.begin(); slot !== null; slot = owner.begin()) {
        sent.push(slot);
        owner.end(slot);
      }
      owner.clock.advance(1_000);
    }
    sent.push(...(await owner.drain()));
    expect(sent.map(({ endpointId }) => endpointId).sort()).toEqual(headers.ph_slots!.split(',').sort());
    expect([owner.deliveries.isDone(0), owner.overflow.isDone(0)]).toEqual([true, true]);
  },
);

test('a copy that is read before its move is acknowledged waits for that', async () => {
  const lane = createFakeLane();
  post(lane, 'slow', SHARE + 1);
  const owner = ownLane(lane, LANE_SLOTS);
  owner.deliveries.pump(1_000);
  owner.overflow.pump(10);
  expect([...owner.overflow.passedOver]).toEqual([0]);
  expect(await owner.drain()).toHaveLength(SHARE + 1);
});

test('the overflow is read for a while after an assignment: of its last owner something may still arrive', () => {
  const owner = ownLane(createFakeLane());
  owner.clock.advance(9_900);
  owner.tick();
  expect(owner.overflow.parked).toBe(false);
  owner.clock.advance(200);
  owner.tick();
  expect(owner.overflow.parked).toBe(true);
});

test('of a lane whose map grows too large the newest records of its largest tenant make way, and are sent later', async () => {
  const lane = createFakeLane();
  post(lane, 'large', 100);
  post(lane, 'small', 10);
  const owner = ownLane(lane);
  owner.deliveries.pump(1_000);
  owner.tick();
  expect(lane.overflow.records).toEqual([]);
  owner.deliveries.mapChars = 2_500;
  owner.tick();
  const origins = lane.overflow.records.map(({ headers }) => `${headers.ce_tenant} ${headers.ph_origin}`);
  expect(origins).toEqual(Array.from({ length: 64 }, (_, i) => `large deliveries:${36 + i}`));
  owner.deliveries.mapChars = 0;
  expect(await owner.drain()).toHaveLength(110);
});

test('a copy that comes when its lane has moved twice is one too many', async () => {
  const lane = createFakeLane();
  post(lane, 'slow', SHARE + 5);
  const first = ownLane(lane, { ...LANE_SLOTS, isLate: true });
  first.deliveries.pump(1_000);
  const handOver = (owner: typeof first) => {
    for (const each of [owner.deliveries, owner.overflow]) each.commit(true);
    for (const each of [owner.deliveries, owner.overflow]) each.lose();
    return ownLane(lane, { ...LANE_SLOTS, clock: owner.clock });
  };
  const second = handOver(first);
  expect(await second.drain()).toHaveLength(SHARE + 5);
  const third = handOver(second);
  for (const move of first.produced) move.acknowledge();
  await settled();
  expect(await third.drain()).toEqual([]);
  expect(third.overflow.isDone(lane.overflow.records.length - 1)).toBe(true);
});

test('an overflow that is begun again alone loses nothing of what was moved there', async () => {
  const lane = createFakeLane();
  post(lane, 'slow', SHARE + 20);
  const owner = ownLane(lane, LANE_SLOTS);
  owner.deliveries.pump(1_000);
  for (const move of owner.produced.splice(0)) move.acknowledge();
  await settled();
  const { overflow } = owner;
  overflow.handler.lost();
  overflow.handler = owner.intake.assigned('overflow', LANE, overflow.at());
  expect(await owner.drain()).toHaveLength(SHARE + 20);
  expect(owner.intake.isDrained(LANE, 'slow', owner.stats())).toBe(true);
});

test('a lane that is lost gives up its moves, and its new owner finds the originals', async () => {
  const lane = createFakeLane();
  post(lane, 'slow', SHARE + 5);
  const first = ownLane(lane, LANE_SLOTS);
  first.deliveries.pump(1_000);
  for (const each of [first.deliveries, first.overflow]) {
    each.commit(true);
    each.lose();
  }
  for (const move of first.produced) move.acknowledge();
  await settled();
  const sent = await ownLane(lane, LANE_SLOTS).drain();
  expect(sent).toHaveLength(SHARE + 5);
});
