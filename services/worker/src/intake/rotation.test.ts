import { expect, test } from 'vitest';
import { makeHeaders, NOW } from '../../test/factories.ts';
import { ownLane, settled } from '../../test/fake-lane.ts';
import { createFakeLane } from '../../test/fake-partition.ts';
import { MAX_ROTATIONS_PER_SEC, ROTATE_ABOVE_CHARS, ROTATE_AFTER_MS, Rotation } from './rotation.ts';

const HOUR_MS = 3_600_000;

test('nothing rotates while the map is small and the oldest is young', () => {
  const rotation = new Rotation();
  rotation.sample(0, NOW);
  rotation.refill(NOW + ROTATE_AFTER_MS - HOUR_MS, ROTATE_ABOVE_CHARS, 0);
  expect(rotation.active).toBe(false);
});

test('a large map rotates at a bounded rate', () => {
  const rotation = new Rotation();
  rotation.refill(NOW, ROTATE_ABOVE_CHARS + 1, 5);
  let taken = 0;
  for (; rotation.active; taken++) rotation.take();
  expect(taken).toBe(MAX_ROTATIONS_PER_SEC / 10);
  rotation.refill(NOW, ROTATE_ABOVE_CHARS + 1, null);
  expect(rotation.active).toBe(false);
});

test('the oldest rotates once it has waited for half of what the topic keeps, by the record nearest before it', () => {
  const rotation = new Rotation();
  for (let hour = 0; hour < 100; hour++) rotation.sample(hour * 10, NOW + hour * HOUR_MS);
  const at = NOW + ROTATE_AFTER_MS + 50 * HOUR_MS;
  rotation.refill(at, 0, 515);
  expect(rotation.active).toBe(false);
  rotation.refill(at + 2 * HOUR_MS, 0, 515);
  expect(rotation.active).toBe(true);
});

test('what waited too long moves to the end of the overflow, and is sent once', async () => {
  const lane = createFakeLane();
  for (let i = 0; i < 300; i++) lane.deliveries.append(makeHeaders({ tenantId: 'slow' }));
  const owner = ownLane(lane, { maxLaneSlots: 512, cap: 1, maxMoves: 1_000 });
  owner.deliveries.pump(1_000);
  for (const move of owner.produced.splice(0)) move.acknowledge();
  await settled();
  owner.overflow.pump(1_000);
  const before = lane.overflow.records.length;
  owner.clock.setWallClock(NOW + 2 * ROTATE_AFTER_MS);
  owner.tick();
  owner.overflow.pump(20);
  expect(lane.overflow.records.length - before).toBe(MAX_ROTATIONS_PER_SEC / 10);
  expect(lane.overflow.records.at(-1)!.headers.ph_origin).toMatch(/^overflow:\d+$/);
  expect(owner.counts.moves.get('rotated')).toBe(MAX_ROTATIONS_PER_SEC / 10);
  const sent = await owner.drain();
  expect(sent).toHaveLength(300);
  expect(new Set(sent.map(({ work }) => work.event.eventId)).size).toBe(300);
});
