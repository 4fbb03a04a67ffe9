import { deriveDeliveryId, mintEndpointId, mintEventId, standingOrder } from '@posthorn/contracts';
import {
  foldCounts,
  noCounts,
  noteCounts,
  recordAttemptDays,
  recordAttempts,
  recordDay,
  recordDeliveries,
  recordEvents,
  takeExpungeStep,
  toNote,
} from '@posthorn/db';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApi, type TestApi } from './api.ts';

const NOW_MS = Date.now();
const TENANT = 'shop';

let api: TestApi;
let key: string;
let otherKey: string;
let webhookId: string;
const gone = mintEndpointId(NOW_MS);
const EVENTS = [3_000, 2_000, 1_000].map((agoMs) => mintEventId(NOW_MS - agoMs));

beforeAll(async () => {
  api = await startApi();
  ({ key } = await api.createTenant(TENANT));
  ({ key: otherKey } = await api.createTenant('neighbour'));
  const made = await api.call('POST', '/v1/webhooks', {
    tenant_id: TENANT,
    url: 'https://hooks.example/in',
    event_types: ['order.*'],
    labels: { project: 'apollo' },
    headers: { 'x-token': 'hush' },
  });
  expect([made.status, made.text]).toEqual([201, expect.any(String)]);
  webhookId = made.body.webhook_id;
  await writeRecord();
});
afterAll(() => api.close());

/** Three events, each to two webhooks: one succeeds at once, the other fails and waits. */
async function writeRecord(): Promise<void> {
  const { sql } = api.database;
  const rows = EVENTS.flatMap((eventId) =>
    [gone, webhookId].map((endpointId) => ({
      eventId,
      endpointId,
      deliveryId: deriveDeliveryId(eventId, endpointId, 0),
      ok: endpointId === gone,
    })),
  );
  const of = <T>(value: (row: (typeof rows)[number]) => T): T[] => rows.map(value);
  const nothing = of(() => null);
  const state = of(({ ok }) => (ok ? ('success' as const) : ('processing' as const)));
  const common = {
    tenantId: of(() => TENANT),
    deliveryId: of((row) => row.deliveryId),
    endpointId: of((row) => row.endpointId),
    eventId: of((row) => row.eventId),
    eventType: of(() => 'order.created'),
    run: of(() => 0),
    round: of(() => 0),
    attempt: of(() => 1),
    state,
    retentionDays: of(() => 30),
    day: of((row) => recordDay(row.eventId)),
  };
  await recordDeliveries(sql, {
    ...common,
    standing: state.map((each) => standingOrder({ state: each, round: 0, attempt: 1 })),
    nextDueAtMs: of(({ ok }) => (ok ? null : NOW_MS + 60_000)),
    lastFailure: of(({ ok }) => (ok ? null : 'http_5xx')),
    lastStatus: of(({ ok }) => (ok ? 200 : 503)),
    lastError: nothing,
    updatedAtMs: of(() => NOW_MS),
  });
  const attempts = {
    ...common,
    attemptId: of((row) => mintEventId(NOW_MS - 3_000 + EVENTS.indexOf(row.eventId))),
    startedAtMs: of(() => NOW_MS),
    durationMs: of(() => 12),
    status: of(({ ok }) => (ok ? 200 : 503)),
    failure: of(({ ok }) => (ok ? null : 'http_5xx')),
    error: nothing,
    responseBody: of(({ ok }) => (ok ? null : Buffer.from('no').toString('base64'))),
    responseHeaders: of(({ ok }) => (ok ? null : '{"content-type":"text/plain"}')),
    traceId: of(() => 'ab'.repeat(16)),
    dnsMs: of(() => 1),
    connectMs: of(() => 2),
    tlsMs: nothing,
    firstByteMs: of(() => 3),
    revision: of(() => 1_000_000),
  };
  await recordAttempts(sql, attempts);
  await recordAttemptDays(sql, attempts);
  await recordEvents(sql, {
    tenantId: EVENTS.map(() => TENANT),
    eventId: EVENTS,
    clientEventId: EVENTS.map((_, i) => `mine-${i}`),
    type: EVENTS.map(() => 'order.created'),
    labels: EVENTS.map((_, i) => `{"n":"${i}"}`),
    contentType: EVENTS.map(() => 'application/json'),
    payload: EVENTS.map(() => Buffer.from('{"big": 9007199254740993}')),
    occurredAtMs: EVENTS.map(() => NOW_MS),
    acceptedAtMs: EVENTS.map(() => NOW_MS),
    revision: EVENTS.map(() => 1),
    retentionDays: EVENTS.map(() => 30),
    day: EVENTS.map(recordDay),
  });
}

const get = async (path: string, asKey: string = key) => {
  const answer = await api.call('GET', path, undefined, { key: asKey });
  expect([answer.status, answer.text]).toEqual([200, expect.any(String)]);
  return answer.body;
};
const refused = async (path: string, asKey: string = key): Promise<[number, string]> => {
  const { status, body } = await api.call('GET', path, undefined, { key: asKey });
  return [status, body.code];
};
const lists = ['/v1/deliveries', '/v1/attempts', '/v1/events'] as const;
const idOf = (row: { attempt_id?: string; delivery_id?: string; event_id: string }): string =>
  row.attempt_id ?? row.delivery_id ?? row.event_id;

describe.each(lists)('%s', (path) => {
  test('goes page by page, there and back, and keeps its filters', async () => {
    const whole = (await get(path)).data.map(idOf);
    expect(whole.toSorted().toReversed()).toEqual(whole);
    const first = await get(`${path}?limit=2&event_type=order.created`);
    const second = await get(first.next);
    expect(first.next).toContain('event_type=order.created');
    expect([...first.data, ...second.data].map(idOf)).toEqual(
      whole.slice(0, first.data.length + second.data.length),
    );
    expect((await get(second.prev)).data).toEqual(first.data);
    expect(first.prev).toBeNull();
  });

  test("has nothing of another tenant's, and takes no cursor of another list", async () => {
    const { next } = await get(`${path}?limit=1`);
    expect(await get(path, otherKey)).toEqual({ data: [], next: null, prev: null });
    expect(await refused(next, otherKey)).toEqual([400, 'invalid_request']);
    expect(await refused(`${path}?tenant_id=${TENANT}`, otherKey)).toEqual([404, 'tenant_not_found']);
    const another = lists.find((each) => each !== path)!;
    expect(await refused(next.replace(path, another))).toEqual([400, 'invalid_request']);
  });

  test('names every parameter that it cannot take', async () => {
    const bad = await api.call('GET', `${path}?limit=0&min_created_at=soon&cursor=!&colour=red`, undefined, {
      key,
    });
    expect(bad.body.errors.map((fault: { pointer: string }) => fault.pointer).toSorted()).toEqual([
      '?colour',
      '?limit',
      '?min_created_at',
    ]);
  });

  test('is cut by time, both ends included', async () => {
    const before = new Date(NOW_MS - 60_000).toISOString();
    expect((await get(`${path}?max_created_at=${before}`)).data).toEqual([]);
    expect((await get(`${path}?min_created_at=${before}`)).data.length).toBeGreaterThan(0);
  });
});

describe('deliveries', () => {
  test('are found by webhook, state, status class, failure and event', async () => {
    const failing = (await get(`/v1/deliveries?webhook_id=${webhookId}`)).data;
    expect(failing.map((row: { event_id: string }) => row.event_id)).toEqual(EVENTS.toReversed());
    for (const filter of ['state=processing', 'status_class=5xx', 'failure=http_5xx'])
      expect((await get(`/v1/deliveries?${filter}`)).data).toEqual(failing);
    expect((await get(`/v1/deliveries?event_id=${EVENTS[0]}&state=success`)).data).toMatchObject([
      { event_id: EVENTS[0], webhook_id: gone, last_status: 200 },
    ]);
  });

  test('say where they wait, with their attempts', async () => {
    const deliveryId = deriveDeliveryId(EVENTS[0]!, webhookId, 0);
    expect(await get(`/v1/deliveries/${deliveryId}`)).toMatchObject({
      delivery_id: deliveryId,
      waiting: {
        next_due_at: new Date(NOW_MS + 60_000).toISOString(),
        tier: '64s',
        overflow_records: 0,
        circuit: { open: false, next_probe_at: null },
        webhook_state: 'active',
      },
      attempts: [{ status: 503, timing: { dns_ms: 1, tls_ms: null, total_ms: 12 } }],
    });
    expect((await get(`/v1/deliveries/${deriveDeliveryId(EVENTS[0]!, gone, 0)}`)).waiting).toBeNull();
  });
});

describe('an attempt', () => {
  test('is shown with its request, made again and redacted, and its response', async () => {
    const [{ attempt_id: attemptId }] = (await get(`/v1/attempts?webhook_id=${webhookId}&limit=1`)).data;
    const { request, response } = await get(`/v1/attempts/${attemptId}`);
    expect(request).toMatchObject({
      method: 'POST',
      body: '{"big": 9007199254740993}',
      headers: { 'x-token': '[redacted]' },
    });
    expect(JSON.stringify(request)).not.toMatch(/hush/);
    expect(response).toEqual({
      status: 503,
      headers: { 'content-type': 'text/plain' },
      body: 'no',
      body_encoding: 'text',
    });
    expect(await get(`/v1/attempts/${attemptId}`, api.operatorKey)).toMatchObject({ attempt_id: attemptId });
    expect(await refused(`/v1/attempts/${attemptId}`, otherKey)).toEqual([404, 'attempt_not_found']);
  });

  test('whose webhook is no longer known has no request', async () => {
    const [{ attempt_id: attemptId }] = (await get(`/v1/attempts?webhook_id=${gone}`)).data;
    expect(await get(`/v1/attempts/${attemptId}`)).toMatchObject({
      request: null,
      response: { status: 200, body: null },
    });
  });

  test.each(['nonsense', 'ffffffff-ffff-7fff-8fff-ffffffffffff', mintEventId(NOW_MS)])(
    'that never was (%s) is not found',
    async (id) => {
      expect(await refused(`/v1/attempts/${id}`)).toEqual([404, 'attempt_not_found']);
    },
  );
});

describe('an event', () => {
  test('is found by label, by its own sender and by the state of its deliveries', async () => {
    expect((await get('/v1/events?label=n:1')).data).toMatchObject([
      { event_id: EVENTS[1], client_event_id: 'mine-1' },
    ]);
    expect((await get('/v1/events?client_event_id=mine-2')).data).toMatchObject([{ event_id: EVENTS[2] }]);
    expect((await get('/v1/events?state=processing')).data).toHaveLength(3);
    expect((await get('/v1/events?state=failed')).data).toEqual([]);
    expect((await get(`/v1/events?webhook_id=${webhookId}`)).data).toHaveLength(3);
  });

  test('is shown with the bytes of its payload and its deliveries', async () => {
    const { text } = await api.call('GET', `/v1/events/${EVENTS[0]}`, undefined, { key });
    expect(text).toContain('"payload":{"big": 9007199254740993}');
    expect(JSON.parse(text).deliveries).toHaveLength(2);
  });
});

describe('a token that is narrowed by labels', () => {
  const tokenFor = async (project: string): Promise<string> => {
    const made = await api.call('POST', '/v1/portal-tokens', { tenant_id: TENANT, labels: { project } });
    expect([made.status, made.text]).toEqual([201, expect.any(String)]);
    return made.body.token;
  };

  test('sees what was sent to its own webhooks, and nothing else', async () => {
    const token = await tokenFor('apollo');
    for (const path of ['/v1/deliveries', '/v1/attempts'])
      expect((await get(path, token)).data.map((row: { webhook_id: string }) => row.webhook_id)).toEqual(
        EVENTS.map(() => webhookId),
      );
    expect((await get(`/v1/deliveries?webhook_id=${gone}`, token)).data).toEqual([]);
    expect((await get('/v1/events', token)).data).toHaveLength(3);
    expect((await get(`/v1/events/${EVENTS[0]}`, token)).deliveries).toHaveLength(1);
    const foreign = deriveDeliveryId(EVENTS[0]!, gone, 0);
    expect(await refused(`/v1/deliveries/${foreign}`, token)).toEqual([404, 'delivery_not_found']);
    const [attempt] = (await get(`/v1/attempts?webhook_id=${gone}`)).data;
    expect(await refused(`/v1/attempts/${attempt.attempt_id}`, token)).toEqual([404, 'attempt_not_found']);
  });

  test('to which none of the webhooks belong sees nothing', async () => {
    const token = await tokenFor('gemini');
    for (const path of lists) expect((await get(path, token)).data).toEqual([]);
    expect(await refused(`/v1/events/${EVENTS[0]}`, token)).toEqual([404, 'event_not_found']);
    expect((await get('/v1/metrics/deliveries?granularity=total', token)).data).toMatchObject([
      { attempts: 0 },
    ]);
  });
});

describe('an expunged payload', () => {
  const remove = (eventId: string, asKey: string = key) =>
    api.call('DELETE', `/v1/events/${eventId}/payload`, undefined, { key: asKey });

  test('is gone with what receivers answered to it, and what became of the event stays', async () => {
    const eventId = EVENTS[2]!;
    expect((await remove(eventId, otherKey)).body.code).toBe('event_not_found');
    const { status, body } = await remove(eventId);
    expect([status, body]).toEqual([
      200,
      {
        event_id: eventId,
        payload_expunged_at: expect.any(String),
        still_in_kafka: [{ topic: 'events', until: expect.any(String) }],
      },
    ]);
    expect(Date.parse(body.still_in_kafka[0].until)).toBeGreaterThan(NOW_MS + 6 * 86_400_000);
    const event = await get(`/v1/events/${eventId}`);
    expect(event).toMatchObject({ type: 'order.created', payload_expunged_at: body.payload_expunged_at });
    expect(event).not.toHaveProperty('payload');
    const [attempt] = (await get(`/v1/attempts?event_id=${eventId}&status_class=5xx`)).data;
    expect(await get(`/v1/attempts/${attempt.attempt_id}`)).toMatchObject({
      request: null,
      response: { status: 503, headers: null, body: null },
    });
    const replay = await api.call('POST', `/v1/events/${eventId}/replay`, {}, { key });
    expect([replay.status, replay.body.code]).toEqual([410, 'payload_expired']);
    expect((await remove(eventId)).body.payload_expunged_at).toBe(body.payload_expunged_at);
  });

  test('of a whole tenant goes step by step, with what is recorded late, once for all requests', async () => {
    const path = `/v1/tenants/${TENANT}/expunges`;
    expect((await api.call('POST', path, undefined, { key: otherKey })).body.code).toBe('tenant_not_found');
    const started = await api.call('POST', path, undefined, { key });
    expect([started.status, started.body]).toMatchObject([202, { state: 'running', tenant_id: TENANT }]);
    const again = await api.call('POST', path, undefined, { key });
    expect(again.body.expunge_id).toBe(started.body.expunge_id);
    const { sql } = api.database;
    const step = (secondPassMs: number) => takeExpungeStep(sql, { eventsPerStep: 2, secondPassMs });
    const counts: (number | undefined)[] = [];
    for (let i = 0; i < 3; i++) counts.push((await step(60_000))?.expunged);
    expect(counts).toEqual([2, 0, undefined]);
    expect((await get(path)).data).toMatchObject([{ state: 'running', events: 2 }]);
    while ((await step(0)) !== null);
    expect((await get(path)).data).toMatchObject([{ state: 'done', events: 2 }]);
    expect(await get(`/v1/events/${EVENTS[0]}`)).not.toHaveProperty('payload');
    const audit = await sql<{ action: string }[]>`
      select action from audit_log where action like '%expunged' order by audit_id`;
    expect(audit.map((row) => row.action)).toEqual([
      'event.payload_expunged',
      'event.payload_expunged',
      'tenant.payloads_expunged',
      'tenant.payloads_expunged',
    ]);
  });
});

describe('metrics', () => {
  beforeAll(async () => {
    const { sql } = api.database;
    const minute = Math.floor(NOW_MS / 60_000) - 1;
    const at = { minute, tenantId: TENANT, endpointId: webhookId, eventType: 'order.created' };
    const latency = noCounts().latency.map((_, i) => (i === 2 ? 4 : 0));
    await noteCounts(sql, [
      toNote({ ...at, endpointId: '', statusClass: '', failure: '' }, { ...noCounts(), events: 3 }),
      toNote({ ...at, statusClass: '', failure: '' }, { ...noCounts(), deliveries: 4 }),
      toNote({ ...at, statusClass: '2xx', failure: '' }, { ...noCounts(), attempts: 3, succeeded: 3 }),
      toNote({ ...at, statusClass: '5xx', failure: 'http_5xx' }, { ...noCounts(), attempts: 1, latency }),
    ]);
    await foldCounts(sql);
  });

  test('count a tenant, and the product for its operator', async () => {
    const total = {
      events: 3,
      deliveries: 4,
      attempts: 4,
      succeeded: 3,
      success_rate: 0.75,
      error_rate: 0.25,
    };
    expect((await get('/v1/metrics/deliveries?granularity=total')).data).toMatchObject([
      { ...total, latency_ms: { p50: 15, p95: 20, p99: 20 }, dead_letters: 0 },
    ]);
    expect((await get('/v1/metrics/deliveries?granularity=total', api.operatorKey)).data).toMatchObject([
      total,
    ]);
    expect((await get('/v1/metrics/deliveries?granularity=total', otherKey)).data).toMatchObject([
      { attempts: 0 },
    ]);
    expect(
      (await get('/v1/metrics/events?granularity=day&group_by=tenant', api.operatorKey)).data,
    ).toMatchObject([{ tenant_id: TENANT, events: 3 }]);
  });

  test('are grouped by what is asked for, over time', async () => {
    const { data, granularity } = await get('/v1/metrics/attempts?group_by=webhook,status_class');
    expect(granularity).toBe('hour');
    expect(data).toMatchObject([
      { webhook_id: webhookId, status_class: null, attempts: 0, success_rate: null },
      { webhook_id: webhookId, status_class: '2xx', attempts: 3, success_rate: 1 },
      { webhook_id: webhookId, status_class: '5xx', attempts: 1, success_rate: 0 },
    ]);
    expect(
      (await get(`/v1/metrics/deliveries?webhook_id=${webhookId}&granularity=total`, api.operatorKey)).data,
    ).toMatchObject([{ events: null, attempts: 4 }]);
  });

  test.each([
    ['group_by=colour', '?group_by'],
    ['group_by=tenant,tenant', '?group_by'],
    ['from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', '?from'],
    ['from=2026-01-01T00:00:00Z&to=2026-11-01T00:00:00Z&granularity=minute', '?granularity'],
  ])('that cannot be had (%s) are refused', async (query, pointer) => {
    const { status, body } = await api.call('GET', `/v1/metrics/deliveries?${query}`, undefined, { key });
    expect([status, body.errors[0].pointer]).toEqual([400, pointer]);
  });

  test('by webhook are of one tenant', async () => {
    expect(await refused('/v1/metrics/deliveries?group_by=webhook', api.operatorKey)).toEqual([
      400,
      'invalid_request',
    ]);
  });
});
