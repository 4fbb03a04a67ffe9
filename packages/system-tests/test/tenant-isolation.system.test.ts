import { type Receiver, startReceiver } from '@posthorn/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type System, startSystem } from '../src/index.ts';

let system: System;
let inbox: Receiver;

beforeAll(async () => {
  [system, inbox] = await Promise.all([
    startSystem({ environment: { LANES: '1', EVENT_PARTITIONS: '1' } }),
    startReceiver(),
  ]);
});

afterAll(async () => {
  // What is still under way would be waited for.
  await system?.stop('worker', 'SIGKILL');
  await system?.close();
  await inbox?.close();
});

test('a tenant whose receiver takes 30 s holds up nobody on the same lane and the same partition', async () => {
  const quotas = { max_concurrent_deliveries: 50 };
  const [slow, fast] = await Promise.all([
    system.api.createTenant({ quotas }),
    system.api.createTenant({ quotas }),
  ]);
  inbox.answer('/slow', { delayMs: 30_000 });
  inbox.answer('/fast', { delayMs: 100 });
  await system.api.createWebhook(slow, { url: inbox.url('/slow') });
  await system.api.createWebhook(fast, { url: inbox.url('/fast') });
  const post = (tenant: typeof slow) =>
    Promise.all(Array.from({ length: 100 }, () => system.api.postEvent(tenant)));

  await post(slow);
  await inbox.waitForCount(quotas.max_concurrent_deliveries, '/slow');
  const startedMs = performance.now();
  await post(fast);
  await inbox.waitForCount(100, '/fast', { timeoutMs: 5_000 });

  expect(performance.now() - startedMs).toBeLessThan(5_000);
  expect(inbox.arrivals('/slow')).toHaveLength(quotas.max_concurrent_deliveries);
});
