import { decodeEvent, deriveDeliveryId, hasValidMac, mintEventId } from '@posthorn/contracts';
import { recordDay, recordEvents } from '@posthorn/db';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApi, type TestApi } from './api.ts';

let api: TestApi;
let tenant: { tenantId: string; key: string };

beforeAll(async () => {
  api = await startApi();
  tenant = await api.createTenant('acme');
});
afterAll(() => api.close());

const PATH = '/v1/system/webhooks';
const webhook = { url: 'https://ops.example/orders', event_types: ['order.*'], secret: 'webhook_secret_key' };
const event = { tenant_id: 'acme', type: 'order.created', payload: { total: 5 } };

async function post(given: object = {}) {
  const answer = await api.call('POST', '/v1/events', { ...event, ...given });
  expect(answer.status).toBe(202);
  return { answer, record: decodeEvent(api.sent.items.at(-1)!.headers) };
}

const make = async (fields: object = {}): Promise<string> => {
  const made = await api.call('POST', PATH, { ...webhook, ...fields });
  expect(made.status).toBe(201);
  return made.body.webhook_id;
};

test('an event is stamped for system webhooks from the moment there is one, and its answer is as before', async () => {
  const before = await post();
  expect(before.record).not.toHaveProperty('systemRevision');
  const id = await make();
  const { revision } = api.configs.peek('posthorn')!;
  const during = await post();
  expect(during.record).toMatchObject({ systemRevision: revision, tenantId: 'acme' });
  expect(during.answer.body).toMatchObject({ webhooks_queued: 0, delivery_ids: [] });
  expect((await api.call('DELETE', `${PATH}/${id}`)).status).toBe(204);
});

describe('a system webhook', () => {
  test('is made, listed, changed and deleted under a path of its own', async () => {
    const id = await make({ filter: { payload: { total: { $gt: 4 } } }, labels: { region: 'eu' } });
    const shown = await api.call('GET', `${PATH}/${id}`);
    expect(shown.body).toMatchObject({
      webhook_id: id,
      tenant_id: 'posthorn',
      event_types: ['order.*'],
      labels: { region: 'eu' },
      filter: { payload: { total: { $gt: 4 } } },
    });
    expect(shown.body).not.toHaveProperty('secret');
    const other = await make();
    const first = await api.call('GET', `${PATH}?limit=1`);
    expect(first.body.data.map((row: { webhook_id: string }) => row.webhook_id)).toEqual([id]);
    const second = await api.call('GET', first.body.next);
    expect(second.body).toMatchObject({ data: [{ webhook_id: other }], next: null });
    const changed = await api.call('PATCH', `${PATH}/${id}`, { event_types: ['*'], filter: null });
    expect(changed.body).toMatchObject({ event_types: ['*'], filter: null, labels: { region: 'eu' } });
    for (const each of [id, other]) expect((await api.call('DELETE', `${PATH}/${each}`)).status).toBe(204);
    expect((await api.call('GET', PATH)).body).toEqual({ data: [], next: null, prev: null });
  });

  test('is none of the webhooks of the tenant posthorn, and those are none of it', async () => {
    const id = await make();
    const own = await api.call('POST', '/v1/webhooks', { ...webhook, tenant_id: 'posthorn' });
    expect((await api.call('GET', `${PATH}/${own.body.webhook_id}`)).status).toBe(404);
    expect((await api.call('PATCH', `${PATH}/${own.body.webhook_id}`, { enabled: false })).status).toBe(404);
    const listed = await api.call('GET', '/v1/webhooks?tenant_id=posthorn');
    expect(listed.body.data.map((row: { webhook_id: string }) => row.webhook_id)).toEqual([
      own.body.webhook_id,
    ]);
    await api.call('DELETE', `/v1/webhooks/${own.body.webhook_id}`);
    await api.call('DELETE', `${PATH}/${id}`);
  });

  test('can be paused and rotated where every webhook is, by an admin', async () => {
    const id = await make();
    expect((await api.call('POST', `/v1/webhooks/${id}/pause`, { mode: 'hold' })).body).toMatchObject({
      paused: true,
    });
    expect((await api.call('GET', `/v1/webhooks/${id}`)).status).toBe(200);
    expect((await api.call('DELETE', `${PATH}/${id}`)).status).toBe(204);
  });

  test('loses what is queued for it to nobody but an admin', async () => {
    const { key } = (await api.call('POST', '/v1/keys', { scopes: ['manage'] })).body;
    const cancel = (given: object) => api.call('POST', '/v1/tenants/posthorn/cancel', undefined, given);
    expect([(await cancel({ key })).status, (await cancel({})).status]).toEqual([403, 202]);
  });

  test('is not for tenants', async () => {
    const id = await make();
    const { key } = tenant;
    expect((await api.call('GET', PATH, undefined, { key })).status).toBe(403);
    expect((await api.call('POST', PATH, webhook, { key })).status).toBe(403);
    expect((await api.call('GET', `/v1/webhooks/${id}`, undefined, { key })).status).toBe(404);
    await api.call('DELETE', `${PATH}/${id}`);
  });

  test("is reached by no key of the operator's tenant, since there is none", async () => {
    const asked = { tenant_id: 'posthorn', scopes: ['read'] };
    expect(await api.call('POST', '/v1/keys', asked)).toMatchObject({ body: { code: 'tenant_reserved' } });
  });

  test('with a filter that is malformed is refused with its place', async () => {
    const answer = await api.call('POST', PATH, { ...webhook, filter: { payload: { a: { $like: 1 } } } });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(answer.body.errors).toMatchObject([{ pointer: '/filter/payload/a/$like' }]);
  });
});

test("a dead letter of a system webhook is the operator's, and is retried with its tenant's name on it", async () => {
  const webhookId = await make();
  const { deliveryId, payload } = await recordDeadLetter(webhookId);
  const listed = await api.call('GET', '/v1/dlq?tenant_id=posthorn');
  expect(listed.body.entries).toMatchObject([{ delivery_id: deliveryId, webhook_id: webhookId }]);
  expect((await api.call('GET', '/v1/dlq', undefined, { key: tenant.key })).body.entries).toEqual([]);
  expect((await api.call('POST', `/v1/dlq/${deliveryId}/retry`)).status).toBe(202);
  const record = api.sent.items.at(-1)!;
  expect(record).toMatchObject({ topic: 'replay', key: 'posthorn' });
  expect(record.value).toEqual(payload);
  expect(decodeEvent(record.headers)).toMatchObject({ tenantId: 'posthorn', sourceTenantId: 'acme' });
  expect(hasValidMac(api.parts.macKey, record.headers, payload)).toBe(true);
});

/** As the recorder leaves it: the event is its tenant's, the delivery and its dead letter the operator's. */
async function recordDeadLetter(endpointId: string): Promise<{ deliveryId: string; payload: Buffer }> {
  const { sql } = api.database;
  const atMs = Date.now() - 60_000;
  const eventId = mintEventId(atMs);
  const deliveryId = deriveDeliveryId(eventId, endpointId, 0);
  const payload = Buffer.from('{"total":5.00}');
  await recordEvents(sql, {
    tenantId: ['acme'],
    eventId: [eventId],
    type: ['order.created'],
    labels: ['{}'],
    contentType: ['application/json'],
    payload: [payload],
    occurredAtMs: [atMs],
    acceptedAtMs: [atMs],
    revision: [1],
    retentionDays: [30],
    clientEventId: [null],
    day: [recordDay(eventId)],
  });
  const day = new Date(atMs);
  await sql`
    insert into deliveries (tenant_id, delivery_id, event_id, endpoint_id, event_type, run, state, round, attempt,
                            standing, updated_at, retention_days, day)
    values ('posthorn', ${deliveryId}, ${eventId}::uuid, ${endpointId}, 'order.created', 0, 'failed', 0, 6, 1, now(),
            30, ${day}::date)`;
  await sql`
    insert into dead_letters (delivery_id, tenant_id, endpoint_id, event_id, event_type, run, round, standing, reason,
                              last_failure, last_status, last_error, attempts, failed_at, topic, partition, "offset",
                              retention_days, day)
    values (${deliveryId}, 'posthorn', ${endpointId}, ${eventId}::uuid, 'order.created', 0, 0, 1, 'attempts_exhausted',
            'http_5xx', 503, '', 6, now(), 'dead-letters', 0, 0, 30, ${day}::date)`;
  return { deliveryId, payload };
}

test('a webhook with a content filter is among those of an event that passes it, and of no other', async () => {
  const made = await api.call('POST', '/v1/webhooks', {
    tenant_id: 'acme',
    url: 'https://hooks.example/large',
    filter: { payload: { total: { $gt: 9007199254740991 } }, labels: { region: { $in: ['eu', 'uk'] } } },
  });
  expect(made.status).toBe(201);
  const queued = async (payload: string, region: string) => {
    const body = `{"tenant_id":"acme","type":"x","payload":${payload},"labels":{"region":"${region}"}}`;
    return (await api.call('POST', '/v1/events', body)).body.webhooks_queued;
  };
  expect(await queued('{"total":9007199254740992}', 'eu')).toBe(1);
  expect(await queued('{"total":9007199254740991}', 'eu')).toBe(0);
  expect(await queued('{"total":9007199254740992}', 'us')).toBe(0);
});

test('a filter with the name of a prototype is kept, shown and held to like any other', async () => {
  const filter = '{"payload":{"__proto__":{"admin":true},"constructor":"x"}}';
  const body = `{"tenant_id":"acme","url":"https://hooks.example/proto","event_types":["p"],"filter":${filter}}`;
  const made = await api.call('POST', '/v1/webhooks', body);
  expect(made.status).toBe(201);
  const shown = await api.call('GET', `/v1/webhooks/${made.body.webhook_id}`);
  expect(JSON.stringify(shown.body.filter.payload)).toContain('"__proto__":{"admin":true}');
  const queued = async (payload: string) => {
    const event = `{"tenant_id":"acme","type":"p","payload":${payload}}`;
    return (await api.call('POST', '/v1/events', event)).body.delivery_ids.length;
  };
  expect(await queued('{"__proto__":{"admin":true},"constructor":"x"}')).toBe(1);
  expect(await queued('{"admin":true}')).toBe(0);
});

test('a filter is tried over HTTP as it would be', async () => {
  const answer = await api.call('POST', '/v1/webhooks/filter/test', {
    filter: { payload: { total: { $gte: 5 } } },
    payload: { total: 5 },
  });
  expect(answer).toMatchObject({ status: 200, body: { matches: true } });
  const text = { headers: { 'content-type': 'text/plain' } };
  expect((await api.call('POST', '/v1/webhooks/filter/test', '{}', text)).status).toBe(415);
});
