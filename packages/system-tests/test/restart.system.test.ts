import { type Receiver, startReceiver } from '@posthorn/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CLEAN, drained, judge, SERVICES, type System, sendLoad, startSystem } from '../src/index.ts';

let system: System;
let inbox: Receiver;

beforeAll(async () => {
  [system, inbox] = await Promise.all([startSystem(), startReceiver()]);
});

afterAll(async () => {
  await system?.close();
  await inbox?.close();
});

test('a SIGTERM of each service under load, with requests of two seconds in flight, loses and repeats nothing', async () => {
  inbox.answer('/slow', { delayMs: 2_000 });
  const tenant = await system.api.createTenant();
  await system.api.createWebhook(tenant, { url: inbox.url('/slow') });
  await system.api.createWebhook(tenant, { url: inbox.url('/fast') });

  let restarted = false;
  const load = sendLoad(system.api, tenant, { eventsPerSec: 30, until: () => restarted });
  await inbox.waitFor(() => inbox.open > 10);
  for (const name of SERVICES) {
    expect(await system.stop(name), `${name} exits with 0`).toBe(0);
    await system.start(name);
  }
  restarted = true;
  const ledger = await load;

  await drained(inbox, ledger, 30_000);
  expect(judge(ledger, inbox.arrivals())).toEqual(CLEAN);
  expect(ledger.ok.size).toBeGreaterThan(50);
});
