import { mintEventId } from '@posthorn/contracts';
import { openDatabase } from '@posthorn/db';
import { databaseUrl } from '@posthorn/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { actWithin } from '../src/access/act-within.ts';
import { openStore, type Store } from '../src/store.ts';
import { startApi, type TestApi } from './api.ts';

/**
 * The second wall (FAULTS T3): the API over a store that leaves the tenant out of its questions. What it answers to a
 * tenant's key and to a portal token is that tenant's own all the same.
 */
let api: TestApi;
let keys: Record<string, string>;
let token: string;
const TENANTS = ['acme', 'other'] as const;
const eventIds: Record<string, string> = {};
const webhookIds: Record<string, string> = {};

beforeAll(async () => {
  api = await startApi((parts) => ({ ...parts, store: forgetful(parts.store) }));
  keys = {};
  for (const tenantId of TENANTS) {
    keys[tenantId] = (await api.createTenant(tenantId)).key;
    const made = await api.call('POST', '/v1/webhooks', webhookOf(tenantId), { key: keys[tenantId]! });
    webhookIds[tenantId] = made.body.webhook_id;
    eventIds[tenantId] = await record(tenantId, made.body.webhook_id);
  }
  const grant = { tenant_id: 'acme', scopes: ['manage'] };
  token = (await api.call('POST', '/v1/portal-tokens', grant)).body.token;
});
afterAll(() => api.close());

const webhookOf = (tenantId: string) => ({ url: `https://${tenantId}.example/`, event_types: ['*'] });

/** Asks for all tenants where it is given one. */
function forgetful(store: Store): Store {
  return {
    ...store,
    findEndpoint: (_tenantId, endpointId) => store.findEndpoint(null, endpointId),
    listEndpoints: (page) => store.listEndpoints({ ...page, tenantId: null }),
    listDeadLetters: (_tenantId, page) => store.listDeadLetters(null, page),
    listJobs: (_tenantId, page) => store.listJobs(null, page),
    record: {
      ...store.record,
      searchDeliveries: (_tenantId, filter, page) => store.record.searchDeliveries(null, filter, page),
      searchAttempts: (_tenantId, filter, page) => store.record.searchAttempts(null, filter, page),
      searchEvents: (_tenantId, filter, page) => store.record.searchEvents(null, filter, page),
      findAttempt: (_tenantId, attemptId) => store.record.findAttempt(null, attemptId),
    },
    keys: {
      ...store.keys,
      list: (filter, page) => store.keys.list({ ...filter, tenantId: null }, page),
    },
    auditLog: {
      ...store.auditLog,
      page: (filter, page) => store.auditLog.page({ ...filter, tenantId: null }, page),
    },
  };
}

/** An event with a delivery that failed, as the recorder would have it. */
async function record(tenantId: string, endpointId: string): Promise<string> {
  const { sql } = api.database;
  const eventId = mintEventId(Date.now());
  const deliveryId = `${eventId}_${tenantId}`;
  const day = new Date().toISOString().slice(0, 10);
  const row = { tenant_id: tenantId, event_id: eventId, retention_days: 30, day };
  const way = { ...row, delivery_id: deliveryId, endpoint_id: endpointId, run: 0, round: 0 };
  const times = { occurred_at: new Date(), accepted_at: new Date() };
  const event = {
    ...row,
    ...times,
    type: `of.${tenantId}`,
    labels: {} as never,
    content_type: '',
    payload: Buffer.from('{}'),
  };
  await sql`insert into events ${sql({ ...event, revision: 0 })}`;
  const tried = { state: 'failed', attempt: 1 };
  const standing = { event_type: 'x', standing: 1, updated_at: new Date() };
  await sql`insert into deliveries ${sql({ ...way, ...tried, ...standing })}`;
  const attempt = { attempt_id: eventId, started_at: new Date(), duration_ms: 1, trace_id: '' };
  await sql`insert into attempts ${sql({ ...way, ...tried, ...attempt })}`;
  await sql`insert into attempt_days values (${day}, ${day}) on conflict do nothing`;
  const failure = {
    reason: 'exhausted',
    last_failure: 'http',
    last_error: '',
    attempts: 1,
    failed_at: new Date(),
  };
  const place = { topic: 't', partition: 0, offset: 0, event_type: 'x', standing: 1 };
  await sql`insert into dead_letters ${sql({ ...way, ...failure, ...place })}`;
  const job = { job_id: eventId, tenant_id: tenantId, kind: 'missing', created_by: tenantId };
  await sql`insert into replay_jobs ${sql({ ...job, filters: {} as never, rate_per_sec: 1, total: 0 })}`;
  return eventId;
}

const NOT_FOR_TOKENS = ['jobs', 'keys', 'audit-log'];
const LISTS = ['webhooks', 'deliveries', 'attempts', 'events', 'dlq', 'jobs', 'keys', 'audit-log'];

test.each(LISTS)(
  'GET /v1/%s shows a tenant its own alone, though the question names no tenant',
  async (list) => {
    const asked = async (key: string) => (await api.call('GET', `/v1/${list}`, undefined, { key })).text;
    const ofOperator = await asked(api.operatorKey);
    expect([...ofOperator.matchAll(/\bother\b/g)].length).toBeGreaterThan(0);
    for (const key of NOT_FOR_TOKENS.includes(list) ? [keys.acme!] : [keys.acme!, token]) {
      const answer = await asked(key);
      expect(answer).not.toMatch(/\bother\b/);
      expect(answer).toMatch(/\bacme\b/);
    }
  },
);

test('another tenant’s webhook and attempt are as absent as one that never was', async () => {
  for (const path of [`webhooks/${webhookIds.other}`, `attempts/${eventIds.other}`]) {
    for (const key of [keys.acme!, token])
      expect((await api.call('GET', `/v1/${path}`, undefined, { key })).status).toBe(404);
    expect((await api.call('GET', `/v1/${path}`)).status).toBe(200);
  }
});

test('another tenant’s webhook is not changed, though the question for it finds no tenant to name', async () => {
  const path = `/v1/webhooks/${webhookIds.other}`;
  for (const [method, body] of [
    ['PATCH', { description: 'mine' }],
    ['DELETE', undefined],
  ] as const)
    expect((await api.call(method, path, body, { key: keys.acme! })).status).toBe(404);
  expect((await api.call('GET', path)).body).toMatchObject({ description: '', enabled: true });
});

test('a question in nobody’s name is not put', async () => {
  await expect(api.parts.store.findTenant('acme')).rejects.toThrow('nobody’s name');
});

test('a store on a connection that was given no tenant finds nothing, not even for an operator', async () => {
  const url = await databaseUrl();
  const unset = openDatabase({ url, pool: 1, applicationName: 'test', role: 'posthorn_ingest' });
  const store = openStore(unset, unset);
  expect(await actWithin(null, () => store.findTenant('acme'))).toBeNull();
  expect(await actWithin('acme', () => store.findTenant('acme'))).toMatchObject({ tenantId: 'acme' });
  expect(await actWithin('other', () => store.findTenant('acme'))).toBeNull();
  await unset.close();
});
