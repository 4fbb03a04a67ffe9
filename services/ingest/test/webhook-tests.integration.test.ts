import { setTimeout as delay } from 'node:timers/promises';
import {
  acceptedAtMs,
  decodeEvent,
  deriveDeliveryId,
  type EventMeta,
  mintEventId,
} from '@posthorn/contracts';
import {
  type CountNote,
  foldCounts,
  noCounts,
  noteCounts,
  recordAttempts,
  recordDay,
  toNote,
} from '@posthorn/db';
import type { OutboundRecord } from '@posthorn/kafka';
import { systemClock } from '@posthorn/runtime';
import { verify } from '@posthorn/signing';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createOutcomeWaits } from '../src/resources/webhooks/outcome-waits.ts';
import { startApi, type TestApi } from './api.ts';

let api: TestApi;
let tenantId: string;
let key: string;
let tenants = 0;

beforeAll(async () => {
  const outcomeWaits = createOutcomeWaits({ clock: systemClock, pause: delay, isStopping: () => false });
  api = await startApi((parts) => ({ ...parts, outcomeWaits }));
});
afterAll(() => api.close());
beforeEach(async () => {
  ({ tenantId, key } = await api.createTenant(`tested-${++tenants}`));
  api.sent.clear();
});

const made = async (fields: object = {}) =>
  (await api.call('POST', '/v1/webhooks', { url: 'https://hooks.example/a', ...fields }, { key })).body;
const send = (id: string, body: object = {}, headers = {}) =>
  api.call('POST', `/v1/webhooks/${id}/test`, body, { key, headers });

/** What is produced next, as the dispatcher reads it. */
async function sentEvent(): Promise<{ meta: EventMeta; record: OutboundRecord }> {
  await api.sent.waitFor(() => api.sent.items.length > 0, { what: 'the event' });
  const record = api.sent.items[0]!;
  return { meta: decodeEvent(record.headers as Record<string, string>), record };
}

/** The recorder's part: one attempt that the receiver answered with 201. */
async function recordAttempt(meta: EventMeta): Promise<string> {
  const attemptId = mintEventId(Date.now());
  const endpointId = meta.only![0]!;
  await recordAttempts(api.database.sql, {
    attemptId: [attemptId],
    deliveryId: [deriveDeliveryId(meta.eventId, endpointId, 0)],
    tenantId: [meta.tenantId],
    endpointId: [endpointId],
    eventId: [meta.eventId],
    eventType: [meta.type],
    run: [0],
    round: [0],
    attempt: [1],
    state: ['success'],
    startedAtMs: [acceptedAtMs(attemptId)],
    durationMs: [41],
    status: [201],
    failure: [null],
    error: [null],
    responseBody: [Buffer.from('thank you').toString('base64')],
    traceId: ['0af7651916cd43dd8448eb211c80319c'],
    responseHeaders: ['{"content-type":"text/plain"}'],
    dnsMs: [2],
    connectMs: [9],
    tlsMs: [14],
    firstByteMs: [30],
    revision: [meta.revision],
    retentionDays: [meta.retentionDays],
    day: [recordDay(meta.eventId)],
  });
  return attemptId;
}

test('a test answers with the request as it was signed, the response and the timing', async () => {
  const headers = { 'X-Api-Key': 'of-the-receiver' };
  const webhook = await made({ event_types: ['order.created'], method: 'PUT', headers });
  const answering = send(webhook.webhook_id, { event_type: 'order.created', payload: { id: 'o-1' } });
  const { meta } = await sentEvent();
  const attemptId = await recordAttempt(meta);
  const { status, body, text } = await answering;
  expect(status).toBe(200);
  expect(body).toMatchObject({
    webhook_id: webhook.webhook_id,
    event_id: meta.eventId,
    event_type: 'order.created',
    attempt: {
      attempt_id: attemptId,
      state: 'success',
      timing: { dns_ms: 2, connect_ms: 9, tls_ms: 14, first_byte_ms: 30, total_ms: 41 },
      request: { method: 'PUT', url: 'https://hooks.example/a', body: '{"id":"o-1"}' },
      response: { status: 201, body: 'thank you', headers: { 'content-type': 'text/plain' } },
    },
  });
  const shown = body.attempt.request.headers;
  expect(shown).toMatchObject({ 'x-api-key': '[redacted]', 'webhook-id': body.delivery_id });
  const nowSeconds = Math.floor(Date.now() / 1_000);
  expect(verify(shown, Buffer.from('{"id":"o-1"}'), [webhook.secret], { nowSeconds })).toEqual({ ok: true });
  expect(text).not.toContain('of-the-receiver');
});

test('a test goes to this webhook alone, whatever it subscribes to, and is seen by whoever sees it', async () => {
  const webhook = await made({
    event_types: ['order.*', 'user.created'],
    labels: { region: 'eu' },
    filter: { payload: { never: { $exists: true } } },
  });
  await made({ event_types: ['*'] });
  const { status, body } = await send(webhook.webhook_id, { wait_seconds: 0 });
  const { meta, record } = await sentEvent();
  expect([status, body]).toEqual([
    202,
    {
      webhook_id: webhook.webhook_id,
      event_id: meta.eventId,
      delivery_id: deriveDeliveryId(meta.eventId, webhook.webhook_id, 0),
      event_type: 'user.created',
    },
  ]);
  expect(meta).toMatchObject({ only: [webhook.webhook_id], labels: { region: 'eu' }, type: 'user.created' });
  expect(JSON.parse(record.value!.toString())).toMatchObject({ test: true });
  expect(api.sent.items).toHaveLength(1);
});

test('a test of a paused webhook waits for nothing, of a disabled one it is refused', async () => {
  const paused = await made({ paused: true });
  expect((await send(paused.webhook_id)).status).toBe(202);
  const disabled = await made({ enabled: false });
  expect((await send(disabled.webhook_id)).body.code).toBe('webhook_disabled');
});

test('a test counts against the rate of its tenant', async () => {
  const slow = await api.createTenant(`slow-${tenants}`, { maxEventsPerSec: 1 });
  const options = { key: slow.key };
  const { body } = await api.call('POST', '/v1/webhooks', { url: 'https://hooks.example/a' }, options);
  const statuses: number[] = [];
  for (let i = 0; i < 3; i++) {
    const path = `/v1/webhooks/${body.webhook_id}/test`;
    statuses.push((await api.call('POST', path, { wait_seconds: 0 }, options)).status);
  }
  expect(statuses[0]).toBe(202);
  expect(statuses).toContain(429);
});

test('operators test the webhooks that tell them of operational events', async () => {
  const made = await api.call('POST', '/v1/webhooks', { tenant_id: 'posthorn', url: 'https://ops.example/' });
  const { status } = await api.call('POST', `/v1/webhooks/${made.body.webhook_id}/test`, { wait_seconds: 0 });
  expect(status).toBe(202);
  expect((await sentEvent()).meta).toMatchObject({ tenantId: 'posthorn', only: [made.body.webhook_id] });
});

test.each([
  [{ event_type: 'Not A Type' }, '/event_type'],
  [{ wait_seconds: 11 }, '/wait_seconds'],
  [{ webhook: 1 }, '/webhook'],
])('%j is no test', async (body, pointer) => {
  const webhook = await made();
  const answer = await send(webhook.webhook_id, body);
  expect([answer.status, answer.body.errors]).toMatchObject([400, [{ pointer }]]);
});

test('statistics are of the webhook alone, over an hour, a day and a week', async () => {
  const [webhook, other] = [await made(), await made()];
  const at = (hoursAgo: number, endpointId: string, statusClass: string, attempts: number): CountNote => {
    const minute = Math.floor(Date.now() / 60_000) - hoursAgo * 60;
    const succeeded = statusClass === '2xx' ? attempts : 0;
    const key = { minute, tenantId, endpointId, eventType: 'a', statusClass, failure: '' };
    return toNote(key, { ...noCounts(), attempts, succeeded });
  };
  await noteCounts(api.database.sql, [
    at(0, webhook.webhook_id, '2xx', 3),
    at(0, webhook.webhook_id, '5xx', 1),
    at(5, webhook.webhook_id, 'none', 4),
    at(50, webhook.webhook_id, '2xx', 8),
    at(200, webhook.webhook_id, '2xx', 100),
    at(0, other.webhook_id, '2xx', 1_000),
  ]);
  await foldCounts(api.database.sql);
  const { status, body } = await api.call('GET', `/v1/webhooks/${webhook.webhook_id}/stats`, undefined, {
    key,
  });
  expect([status, body.stats]).toMatchObject([
    200,
    {
      '1h': { attempts: 4, succeeded: 3, success_rate: 0.75, by_status_class: { '2xx': 3, '5xx': 1 } },
      '24h': { attempts: 8, by_status_class: { '2xx': 3, '5xx': 1, none: 4 } },
      '7d': { attempts: 16, succeeded: 11 },
    },
  ]);
  const unused = await api.call('GET', `/v1/webhooks/${(await made()).webhook_id}/stats`, undefined, { key });
  expect(unused.body.stats['7d']).toMatchObject({ attempts: 0, success_rate: null, by_status_class: {} });
});
