import { type Receiver, startReceiver } from '@posthorn/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWorld, type World } from './world.ts';

let world: World;
let receiver: Receiver;

beforeAll(async () => {
  [world, receiver] = await Promise.all([startWorld('overflow'), startReceiver()]);
});
afterAll(async () => {
  await Promise.all([world?.close(), receiver?.close()]);
});

const EVENTS = 2_000;
const CAP = 20;
/** A tenant's share of the lane is then 256 slots. */
const SMALL_LANES = { MAX_LANE_SLOTS: '1024', BREAKER_MIN_ATTEMPTS: '10000' };

test('a tenant at its cap with thousands of events keeps up no neighbour on its lane, and a restart in the middle of them loses and repeats nothing', async () => {
  await Promise.all([world.addTenant('slow', { maxConcurrentDeliveries: CAP }), world.addTenant('quick')]);
  const [slow, quick] = await Promise.all([
    world.addEndpoint('slow', receiver.url('/slow')),
    world.addEndpoint('quick', receiver.url('/quick')),
  ]);
  const opened = Promise.withResolvers<void>();
  receiver.answer('/slow', () => opened.promise.then(() => ({})));
  const posted = await Promise.all(Array.from({ length: EVENTS }, () => world.post('slow', [slow])));
  await Promise.all(Array.from({ length: 20 }, () => world.post('quick', [quick])));

  const first = await world.startWorker(SMALL_LANES);
  await receiver.waitForCount(20, '/quick');
  await receiver.waitForCount(CAP, '/slow');
  expect(receiver.arrivals('/slow')).toHaveLength(CAP);
  expect(await movedTo(world)).toBeGreaterThan(EVENTS / 2);

  opened.resolve();
  await receiver.waitForCount(EVENTS / 3, '/slow');
  await first.stop();
  const second = await world.startWorker(SMALL_LANES);
  await receiver.waitForCount(EVENTS, '/slow', { timeoutMs: 30_000 });
  await second.stop();

  const arrived = receiver.arrivals('/slow').map(({ headers }) => headers['x-webhook-event-id']);
  expect(arrived.sort()).toEqual(posted.map(({ eventId }) => eventId).sort());
  const errors = [...first.lines, ...second.lines].filter(({ level }) => level === 'error');
  expect(errors).toEqual([]);
});

async function movedTo({ admin, topics }: World): Promise<number> {
  const ends = await admin.endOffsets(topics.overflow);
  return ends.reduce((sum, { high }) => sum + high, 0);
}
