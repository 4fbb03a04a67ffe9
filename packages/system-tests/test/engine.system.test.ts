import { pinLanes, tenantPartition } from '@posthorn/contracts';
import { type Receiver, startReceiver, waitUntil } from '@posthorn/testkit';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CLEAN,
  type DeliveryView,
  drained,
  type Endpoint,
  judge,
  type System,
  sendLoad,
  startSystem,
  type Tenant,
} from '../src/index.ts';

let system: System;
let operator: Receiver;
let operatorWebhook: Endpoint;
const receivers: Receiver[] = [];

const A_MINUTE_AGO = new Date(Date.now() - 60_000).toISOString();
const TOGETHER_MS = 20_000;
/** In which a hundred events of a tenant arrive whose neighbour's receiver hangs. */
const NEIGHBOUR_MS = 15_000;
const LANES = 4;
const EVENT_PARTITIONS = 2;

beforeAll(async () => {
  operator = await receiver();
  system = await startSystem({
    environment: {
      LANES: String(LANES),
      EVENT_PARTITIONS: String(EVENT_PARTITIONS),
      PAUSE_FIRST_WAIT_MS: '50',
      PAUSE_MAX_WAIT_MS: '200',
    },
  });
  operatorWebhook = (
    await system.api.call<Endpoint>('POST', '/v1/webhooks', {
      body: { tenant_id: 'posthorn', url: operator.url('/ops'), event_types: ['posthorn.*'] },
    })
  ).body;
});

afterAll(async () => {
  // What is still under way to the slow receiver would be waited for.
  await system?.stop('worker', 'SIGKILL');
  await system?.close();
  await Promise.all(receivers.map((each) => each.close()));
});

async function receiver(): Promise<Receiver> {
  const started = await startReceiver();
  receivers.push(started);
  return started;
}

interface Lanes {
  readonly lanes: number[];
  readonly draining_lanes: number[];
}

interface Job {
  readonly job_id: string;
  readonly state: string;
  readonly total: number;
  readonly done: number;
  readonly refused: number;
}

/** What is asked with the tenant's own key and has to succeed. */
async function ask<T>(tenant: Tenant, method: string, path: string, body?: unknown): Promise<T> {
  const answer = await system.api.call<T>(method, path, { body, key: tenant.key });
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body;
}

const stateOf = async (id: string): Promise<string> =>
  (await system.api.call<DeliveryView>('GET', `/v1/deliveries/${id}`)).body.state;

const until = (id: string, state: string): Promise<boolean> =>
  waitUntil(async () => (await stateOf(id)) === state, {
    what: `delivery ${id} to be ${state}`,
    timeoutMs: TOGETHER_MS,
  });

const jobDone = (tenant: Tenant, { job_id }: Job): Promise<Job> =>
  waitUntil(
    async () => {
      const job = await ask<Job>(tenant, 'GET', `/v1/jobs/${job_id}`);
      return job.state === 'done' && job;
    },
    { what: `job ${job_id} to be done`, timeoutMs: TOGETHER_MS },
  );

const deadLetters = async (tenant: Tenant): Promise<number> =>
  (await ask<{ total: number }>(tenant, 'GET', '/v1/dlq')).total;

/** A tenant whose receiver has failed these events for good. */
async function withDeadLetters(inbox: Receiver, path: string, count: number) {
  inbox.answer(path, { status: 503 });
  const tenant = await system.api.createTenant();
  const webhook = await system.api.createWebhook(tenant, { url: inbox.url(path), retry_schedule: 'none' });
  const posted = await Promise.all(Array.from({ length: count }, () => system.api.postEvent(tenant)));
  const ids = posted.map(({ delivery_ids }) => delivery_ids![0]!);
  await waitUntil(async () => (await deadLetters(tenant)) === count, {
    what: `${count} dead letters`,
    timeoutMs: TOGETHER_MS,
  });
  inbox.answer(path, { status: 200 });
  return { tenant, webhook, ids };
}

/** A tenant with the same lane and the same partition of `events`. */
function neighbourOf(tenantId: string): string {
  const placeOf = (id: string) => `${pinLanes(id, LANES)} ${tenantPartition(id, EVENT_PARTITIONS)}`;
  for (let n = 0; ; n++) {
    const neighbour = `${tenantId}-neighbour-${n}`;
    if (placeOf(neighbour) === placeOf(tenantId)) return neighbour;
  }
}

// Together: most of each test waits for a change to reach the workers.
describe.concurrent('the engine', () => {
  test('holds what is for a paused endpoint, and sends it once after the pause', async () => {
    const inbox = await receiver();
    const tenant = await system.api.createTenant();
    const held = await system.api.createWebhook(tenant, { url: inbox.url('/held') });
    await ask(tenant, 'POST', `/v1/webhooks/${held.webhook_id}/pause`, { mode: 'hold' });
    await system.api.createWebhook(tenant, { url: inbox.url('/open') });
    const posted = [await system.api.postEvent(tenant), await system.api.postEvent(tenant)];
    expect(posted.map((event) => event.webhooks_queued)).toEqual([2, 2]);
    await inbox.waitForCount(2, '/open');
    expect(inbox.arrivals('/held')).toEqual([]);
    await ask(tenant, 'POST', `/v1/webhooks/${held.webhook_id}/resume`);
    await inbox.waitForCount(2, '/held');
    for (const id of posted.flatMap(({ delivery_ids }) => delivery_ids!)) await until(id, 'success');
    expect(inbox.arrivals()).toHaveLength(4);
  });

  test('delivers at the time that was asked for', async () => {
    const inbox = await receiver();
    const tenant = await system.api.createTenant();
    await system.api.createWebhook(tenant, { url: inbox.url('/later') });
    const dueMs = Date.now() + 1_000;
    const event = await system.api.postEvent(tenant, { deliver_at: new Date(dueMs).toISOString() });
    const [arrival] = await inbox.waitForCount(1);
    expect(arrival!.atMs).toBeGreaterThanOrEqual(dueMs);
    await until(event.delivery_ids![0]!, 'success');
  });

  test('cancels what is scheduled of one event and what is queued for one endpoint, and nothing else', async () => {
    const inbox = await receiver();
    inbox.answer('/down', { status: 503 });
    const tenant = await system.api.createTenant();
    const fields = { url: inbox.url('/down'), retry_schedule: [600] };
    const down = await system.api.createWebhook(tenant, fields);
    await system.api.createWebhook(tenant, { url: inbox.url('/up') });
    const deliver_at = new Date(Date.now() + 3_600_000).toISOString();
    const later = await system.api.postEvent(tenant, { deliver_at });
    const now = await system.api.postEvent(tenant);
    const [toDown, toUp] = now.delivery_ids!;
    await Promise.all(later.delivery_ids!.map((id) => until(id, 'scheduled')));
    await until(toDown!, 'processing');
    await Promise.all([
      ask(tenant, 'POST', `/v1/events/${later.event_id}/cancel`),
      ask(tenant, 'POST', `/v1/webhooks/${down.webhook_id}/cancel`),
    ]);
    await Promise.all([...later.delivery_ids!, toDown!].map((id) => until(id, 'cancelled')));
    expect(await stateOf(toUp!)).toBe('success');
    expect(inbox.arrivals()).toHaveLength(2);
  });

  test('retries many dead letters by a job, after a dry run that says which, but none that was removed', async () => {
    const inbox = await receiver();
    const { tenant, webhook, ids: all } = await withDeadLetters(inbox, '/bulk', 6);
    const [removed, ...ids] = all;
    await ask(tenant, 'DELETE', `/v1/dlq/${removed}`);
    await waitUntil(async () => (await deadLetters(tenant)) === 5, { what: 'one to be removed' });
    const filters = { webhook_id: webhook.webhook_id, reason: 'attempts_exhausted' };
    const dry = await ask<{ total: number; sample: { delivery_id: string }[] }>(
      tenant,
      'POST',
      '/v1/dlq/retry',
      { ...filters, dry_run: true },
    );
    expect([dry.total, dry.sample.map((each) => each.delivery_id).sort()]).toEqual([5, [...ids].sort()]);
    const job = await ask<Job>(tenant, 'POST', '/v1/dlq/retry', filters);
    expect(await jobDone(tenant, job)).toMatchObject({ total: 5, done: 5, refused: 0 });
    for (const id of ids) await until(id, 'success');
    expect(inbox.arrivals('/bulk')).toHaveLength(11);
    expect(await stateOf(removed!)).toBe('failed');
    await waitUntil(async () => (await deadLetters(tenant)) === 0, { what: 'no dead letters' });
  });

  test('recovers all that an endpoint failed', async () => {
    const inbox = await receiver();
    const { tenant, webhook, ids } = await withDeadLetters(inbox, '/recovered', 2);
    const path = `/v1/webhooks/${webhook.webhook_id}/recover`;
    const job = await jobDone(tenant, await ask<Job>(tenant, 'POST', path, { since: A_MINUTE_AGO }));
    expect(job).toMatchObject({ total: 2, done: 2, refused: 0 });
    for (const id of ids) await until(id, 'success');
    expect(inbox.arrivals('/recovered')).toHaveLength(4);
  });

  test('sends an endpoint what matches and was never sent to it, once', async () => {
    const inbox = await receiver();
    const tenant = await system.api.createTenant();
    const fields = { type: 'order.created' };
    const before = [await system.api.postEvent(tenant, fields), await system.api.postEvent(tenant, fields)];
    await system.api.postEvent(tenant, { type: 'invoice.paid' });
    const types = { event_types: ['order.*'] };
    const webhook = await system.api.createWebhook(tenant, { url: inbox.url('/late'), ...types });
    const path = `/v1/webhooks/${webhook.webhook_id}/replay-missing`;
    const span = { since: A_MINUTE_AGO };
    await waitUntil(
      async () =>
        (await ask<{ total: number }>(tenant, 'POST', path, { ...span, dry_run: true })).total === 2,
      { what: 'two events to be missing', timeoutMs: TOGETHER_MS },
    );
    const job = await jobDone(tenant, await ask<Job>(tenant, 'POST', path, span));
    expect(job).toMatchObject({ total: 2, done: 2, refused: 0 });
    const arrivals = await inbox.waitForCount(2);
    const eventIds = arrivals.map(({ headers }) => String(headers['webhook-id']).split('_')[0]);
    expect(eventIds.sort()).toEqual(before.map(({ event_id }) => event_id).sort());
  });

  test('disables an endpoint that answers 410, and tells the operator, signed', async () => {
    const inbox = await receiver();
    inbox.answer('/gone', { status: 410 });
    const tenant = await system.api.createTenant();
    const webhook = await system.api.createWebhook(tenant, { url: inbox.url('/gone') });
    const event = await system.api.postEvent(tenant);
    await until(event.delivery_ids![0]!, 'failed');
    const path = `/v1/webhooks/${webhook.webhook_id}`;
    await waitUntil(
      async () =>
        (await ask<{ state: string; state_reason: string }>(tenant, 'GET', path)).state_reason === 'gone',
      { what: 'the webhook to be disabled' },
    );
    await waitUntil(async () => (await system.api.postEvent(tenant)).webhooks_queued === 0, {
      what: 'events to pass it by',
    });
    const aboutIt = (type: string) =>
      operator
        .arrivals('/ops')
        .filter(
          ({ headers, body }) =>
            headers['x-webhook-event-type'] === type && body.includes(webhook.webhook_id),
        );
    await operator.waitFor(
      () =>
        aboutIt('posthorn.endpoint.disabled').length > 0 &&
        aboutIt('posthorn.dead_letter.created').length > 0,
      { what: 'operational events', timeoutMs: TOGETHER_MS },
    );
    const verifier = new Webhook(operatorWebhook.secret);
    for (const { body, headers } of operator.arrivals('/ops'))
      expect(() => verifier.verify(body.toString(), headers as Record<string, string>)).not.toThrow();
  });

  test('moves a tenant to other lanes under load: nothing lost, nothing twice, never over its cap', async () => {
    const inbox = await receiver();
    const CAP = 6;
    inbox.answer('/busy', { delayMs: 20 });
    const quotas = { max_concurrent_deliveries: CAP };
    const tenant = await system.api.createTenant({ quotas });
    for (let i = 0; i < 4; i++) await system.api.createWebhook(tenant, { url: inbox.url('/busy') });
    const load = sendLoad(system.api, tenant, { eventsPerSec: 60, until: (sent) => sent >= 60 });
    await inbox.waitForCount(20);
    const path = `/v1/tenants/${tenant.tenantId}/lanes`;
    const [left] = (await system.api.call<Lanes>('GET', path)).body.lanes;
    const lanes = [1, 2, 3].filter((lane) => lane !== left);
    const moved = await system.api.call<Lanes>('PUT', path, { body: { lanes } });
    expect(moved.body).toMatchObject({ lanes, draining_lanes: [left] });
    const ledger = await load;
    await drained(inbox, ledger);
    expect(judge(ledger, inbox.arrivals())).toEqual(CLEAN);
    expect(inbox.peakOpen).toBeLessThanOrEqual(CAP);
  });

  test('tenant-isolation: a receiver that takes 30 s holds up no other tenant of its lane and its partition of events', async () => {
    const inbox = await receiver();
    inbox.answer('/slow', { delayMs: 30_000 });
    inbox.answer('/fast', { delayMs: 100 });
    const quotas = { max_concurrent_deliveries: 50 };
    const slow = await system.api.createTenant({ quotas });
    const fast = await system.api.createTenant({ quotas, tenantId: neighbourOf(slow.tenantId) });
    await system.api.createWebhook(slow, { url: inbox.url('/slow') });
    await system.api.createWebhook(fast, { url: inbox.url('/fast') });
    const post = (tenant: Tenant) =>
      Promise.all(Array.from({ length: 100 }, () => system.api.postEvent(tenant)));

    await post(slow);
    await inbox.waitForCount(quotas.max_concurrent_deliveries, '/slow', { timeoutMs: TOGETHER_MS });
    const startedMs = performance.now();
    await post(fast);
    await inbox.waitForCount(100, '/fast', { timeoutMs: NEIGHBOUR_MS });

    expect(performance.now() - startedMs).toBeLessThan(NEIGHBOUR_MS);
    expect(inbox.arrivals('/slow')).toHaveLength(quotas.max_concurrent_deliveries);
  });
});
