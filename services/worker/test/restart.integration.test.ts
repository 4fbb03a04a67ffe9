import { type Receiver, startReceiver, waitUntil } from '@posthorn/testkit';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startWorld, type World } from './world.ts';

let world: World;
let receiver: Receiver;

beforeAll(async () => {
  [world, receiver] = await Promise.all([startWorld('restart'), startReceiver()]);
});
afterAll(async () => {
  await Promise.all([world?.close(), receiver?.close()]);
});

test('a stop with slow requests in flight and a queue behind them loses and repeats nothing', async () => {
  const CAP = 10;
  const EVENTS = 40;
  await world.addTenant('acme', { maxConcurrentDeliveries: CAP });
  const endpoint = await world.addEndpoint('acme', receiver.url('/slow'));
  receiver.answer('/slow', { delayMs: 2_000 });
  const first = await world.startWorker();
  const posted = await Promise.all(Array.from({ length: EVENTS }, () => world.post('acme', [endpoint])));
  await receiver.waitForCount(CAP, '/slow');
  const stopped = first.stop();
  receiver.answer('/slow', {});
  await stopped;
  expect(receiver.arrivals('/slow')).toHaveLength(CAP);
  expect(receiver.open).toBe(0);
  const succeeded = () => world.entries.items.filter((entry) => entry.kind === 'attempted').length;
  await world.entries.waitFor(() => succeeded() >= CAP, { what: 'the outcomes of what was in flight' });

  const second = await world.startWorker();
  await receiver.waitForCount(EVENTS, '/slow');
  await world.entries.waitFor(() => succeeded() >= EVENTS, { what: 'all outcomes' });
  await second.stop();
  const arrived = receiver.arrivals('/slow').map(({ headers }) => headers['x-webhook-event-id']);
  expect(arrived.sort()).toEqual(posted.map(({ eventId }) => eventId).sort());
});

test('while configuration cannot be had slots are put aside without burning an attempt, and no neighbour waits', async () => {
  await world.addTenant('away');
  const endpoint = await world.addEndpoint('away', receiver.url('/away'));
  const worker = await world.startWorker({ DATABASE_URL: 'postgres://nobody:none@127.0.0.1:9/none' });
  const posted = await Promise.all(Array.from({ length: 20 }, () => world.post('away', [endpoint])));
  const ids = new Set(posted.map(({ eventId }) => eventId));
  const aside = () => world.waiting.items.filter(({ headers }) => ids.has(headers.ce_id!));
  await world.waiting.waitFor(() => aside().length >= ids.size, { what: 'all slots on a tier' });
  for (const { topic, headers } of aside()) {
    expect(topic).toBe(`${world.prefix}retry.1s`);
    expect(headers).toMatchObject({ ph_attempt: '1', ph_bounces: '1', ph_delay_ms: '1000' });
  }
  expect(receiver.arrivals('/away')).toHaveLength(0);
  await worker.stop();
});

test('workers that come and go under load send every delivery once', async () => {
  const TENANTS = ['one', 'two', 'three', 'four'];
  const EVENTS = 200;
  receiver.answer('/shared', { delayMs: 100 });
  const endpoints = await Promise.all(
    TENANTS.map(async (name, lane) => {
      await world.addTenant(name, {}, [lane]);
      return { name, lane, endpoint: await world.addEndpoint(name, receiver.url('/shared')) };
    }),
  );
  const first = await world.startWorker();
  const posted = Promise.all(
    Array.from({ length: EVENTS }, (_, i) => {
      const { name, lane, endpoint } = endpoints[i % TENANTS.length]!;
      return world.post(name, [endpoint], { lane });
    }),
  );
  await receiver.waitForCount(20, '/shared');
  const second = await world.startWorker();
  await first.stop();
  await posted;
  await receiver.waitForCount(EVENTS, '/shared');
  await second.stop();
  const arrived = receiver.arrivals('/shared').map(({ headers }) => headers['x-webhook-event-id']);
  expect(arrived).toHaveLength(EVENTS);
  expect(new Set(arrived).size).toBe(EVENTS);
});

test('lanes with slow requests are handed over at once, their caps with them, and nothing is sent twice', async () => {
  const slowly = await startReceiver();
  onTestFinished(() => slowly.close());
  const opened = Promise.withResolvers<void>();
  slowly.answer('/', () => opened.promise.then(() => ({})));
  const tenants = await Promise.all(
    [0, 1, 2, 3].map(async (lane) => {
      const name = `held${lane}`;
      await world.addTenant(name, { maxConcurrentDeliveries: 1 }, [lane]);
      return { name, lane, endpoint: await world.addEndpoint(name, slowly.url('/')) };
    }),
  );
  const first = await world.startWorker();
  const second = await world.startWorker();
  const post = () =>
    Promise.all(tenants.map(({ name, lane, endpoint }) => world.post(name, [endpoint], { lane })));
  const posted = await post();
  await slowly.waitForCount(tenants.length);
  const stopped = first.stop();
  // It has left the group before its requests end, and they count against the caps of whoever has its lanes now.
  await waitUntil(async () => (await handedOver(second)) === 2, { what: 'the lanes to be handed over' });
  posted.push(...(await post()));
  opened.resolve();
  await stopped;
  await slowly.waitForCount(posted.length);
  await waitUntil(async () => (await handedOver(second)) === 0, { what: 'the settling to be announced' });
  await second.stop();
  expect(slowly.peakOpen).toBe(tenants.length);
  const arrived = slowly.arrivals().map(({ headers }) => headers['x-webhook-event-id']);
  expect(arrived.sort()).toEqual(posted.map(({ eventId }) => eventId).sort());
});

async function handedOver(worker: Awaited<ReturnType<World['startWorker']>>): Promise<number> {
  const metrics = await (await worker.admin('/metrics')).text();
  return Number(/^posthorn_worker_handed_over_slots\S* (\d+)$/m.exec(metrics)?.[1]);
}
