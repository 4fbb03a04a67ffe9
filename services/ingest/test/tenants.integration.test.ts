import { RATE_SLOT_MS } from '@posthorn/db';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { actWithin } from '../src/access/act-within.ts';
import { startApi, type TestApi } from './api.ts';

let api: TestApi;
let planId: string;
let tenantId: string;
let made = 0;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.close());
beforeEach(() => {
  made += 1;
  planId = `plan-${made}`;
  tenantId = `customer-${made}`;
});

const quotas = {
  max_events_per_sec: 50,
  max_concurrent_deliveries: 5,
  max_dlq_size: 200,
  max_webhooks: 2,
};
const putPlan = (fields: object = {}) =>
  api.call('PUT', `/v1/plans/${planId}`, {
    name: 'Team',
    quotas,
    dlq_policy: 'warn',
    retention_days: 7,
    ...fields,
  });
const create = (fields: object = {}) => api.call('POST', '/v1/tenants', { tenant_id: tenantId, ...fields });
const event = () => ({ tenant_id: tenantId, type: 'order.created', payload: {} });

/** What the audit log says of one subject, in order. */
const audited = async (subject: string) =>
  (await api.database.sql`select action from audit_log where subject = ${subject} order by audit_id`).map(
    (row) => row.action,
  );

describe('a plan', () => {
  it('is put, put again, shown, listed and deleted', async () => {
    const first = await putPlan();
    expect(first.status).toBe(201);
    expect(first.body).toMatchObject({ plan_id: planId, name: 'Team', quotas, retention_days: 7 });
    const second = await putPlan({ name: 'Teams', quotas: { ...quotas, max_webhooks: 3 } });
    expect([second.status, second.body.quotas.max_webhooks]).toEqual([200, 3]);
    expect((await api.call('GET', `/plans/${planId}`)).body).toEqual(second.body);
    const page = await api.call('GET', '/plans?limit=1');
    expect(page.body.data[0].plan_id).toBe('default');
    const next = await api.call('GET', page.body.next);
    expect(next.body.data).toHaveLength(1);
    expect((await api.call('GET', next.body.prev)).body.data).toEqual(page.body.data);
    expect((await api.call('DELETE', `/plans/${planId}`)).status).toBe(204);
    expect((await api.call('GET', `/plans/${planId}`)).body.code).toBe('plan_not_found');
    expect(await audited(planId)).toEqual(['plan.created', 'plan.updated', 'plan.deleted']);
  });

  it('that tenants have, and the default one, cannot be deleted', async () => {
    await putPlan();
    await create({ plan: planId });
    const inUse = await api.call('DELETE', `/plans/${planId}`);
    expect([inUse.status, inUse.body.code, inUse.body.tenants]).toEqual([409, 'plan_in_use', 1]);
    expect((await api.call('DELETE', '/plans/default')).body.code).toBe('plan_in_use');
    expect((await api.call('DELETE', '/plans/none')).body.code).toBe('plan_not_found');
  });

  it.each(['A', 'é', '-a', 'a%20b'])('of the id %s is refused', async (id) => {
    const { status, body } = await api.call('PUT', `/plans/${id}`, { quotas });
    expect([status, body.errors[0].pointer]).toEqual([400, '/plan_id']);
  });

  it('is changed for its tenants everywhere when the answer is there, but for what is their own', async () => {
    await putPlan();
    await create({ plan: planId });
    await api.call('PATCH', `/quotas/${tenantId}`, { max_dlq_size: 9 });
    await putPlan({ quotas: { ...quotas, max_events_per_sec: 1, max_dlq_size: 500 } });
    const { body } = await api.call('GET', `/quotas/${tenantId}`);
    expect(body).toMatchObject({
      plan: planId,
      limits: { ...quotas, max_events_per_sec: 1, max_dlq_size: 9 },
      overrides: ['max_dlq_size'],
    });
    const answers = [await api.call('POST', '/events', event()), await api.call('POST', '/events', event())];
    expect(answers.map(({ status }) => status)).toEqual([202, 429]);
  });

  it('that is changed by SQL holds for its tenants with the next poll, and is audited', async () => {
    await putPlan();
    await create({ plan: planId });
    await api.database.sql`update plans set max_events_per_sec = 77 where plan_id = ${planId}`;
    await api.configs.poll();
    const { body } = await api.call('GET', `/quotas/${tenantId}`);
    expect([body.limits.max_events_per_sec, body.overrides]).toEqual([77, []]);
    const rows = await api.database.sql`
      select actor, before, after from audit_log where subject = ${planId} order by audit_id desc limit 1`;
    expect(rows[0]).toMatchObject({
      actor: expect.stringMatching(/^sql:/),
      before: { max_events_per_sec: 50 },
      after: { max_events_per_sec: 77 },
    });
  });

  it('that leaves a tenant with more lanes than deliveries is refused, and names the tenant', async () => {
    await putPlan();
    await create({ plan: planId });
    await api.database.sql`update tenants set lanes = '{1,2,3}' where tenant_id = ${tenantId}`;
    const { status, body } = await putPlan({ quotas: { ...quotas, max_concurrent_deliveries: 2 } });
    expect([status, body.code, body.tenant_id]).toEqual([409, 'too_many_lanes', tenantId]);
  });
});

describe('a tenant', () => {
  it('has its plan, and what it is given beside', async () => {
    await putPlan();
    const { status, body } = await create({
      name: 'Customer',
      plan: planId,
      metadata: { crm: '42' },
      quotas: { max_webhooks: 7 },
      unknown_event_types: 'warn',
    });
    expect(status).toBe(201);
    const { api_key: key, ...shown } = body;
    expect(shown).toMatchObject({
      tenant_id: tenantId,
      state: 'active',
      plan: planId,
      metadata: { crm: '42' },
      quotas: { ...quotas, max_webhooks: 7 },
      dlq_policy: 'warn',
      retention_days: 7,
      overrides: ['max_webhooks'],
      unknown_event_types: 'warn',
    });
    expect((await api.call('GET', `/tenants/${tenantId}`, undefined, { key })).body).toEqual(shown);
    await api.call('POST', '/events', event(), { key });
    expect(api.sent.items.at(-1)?.headers.ph_retention).toBe('7');
  });

  it('of a plan that there is not is a fault', async () => {
    const { status, body } = await create({ plan: 'none' });
    expect([status, body.errors[0].pointer]).toEqual([400, '/plan']);
  });

  it.each([
    '../acme',
    'a/b',
    'a.b',
    'ACME ',
    'café',
    'cafe\u0301',
    'аcme',
    'ａcme',
    'acme\u200b',
    '%2e%2e',
    '-a',
    '',
    'a'.repeat(65),
  ])('of the id %j is refused, and is in no path', async (id) => {
    const { status, body } = await api.call('POST', '/tenants', { tenant_id: id });
    expect([status, body.errors[0].pointer]).toEqual([400, '/tenant_id']);
    const found = await api.call('GET', `/tenants/${encodeURIComponent(id)}`);
    expect(found.status).toBeGreaterThanOrEqual(400);
    expect(found.status).toBeLessThan(500);
  });

  it('whose id looks like another’s is refused, and told which', async () => {
    await create();
    const { status, body } = await api.call('POST', '/tenants', { tenant_id: tenantId.toUpperCase() });
    expect([status, body.code, body.tenant_id]).toEqual([409, 'tenant_lookalike', tenantId]);
    expect((await create()).body.code).toBe('tenant_exists');
  });

  it('is changed, in what is given alone', async () => {
    await create({ name: 'A', metadata: { a: '1', b: '2' }, retention_days: 90 });
    await putPlan();
    const changed = await api.call('PATCH', `/tenants/${tenantId}`, { plan: planId, metadata: { c: '3' } });
    expect(changed.body).toMatchObject({
      name: 'A',
      plan: planId,
      quotas,
      metadata: { c: '3' },
      retention_days: 90,
      overrides: ['retention_days'],
    });
    const back = await api.call('PATCH', `/tenants/${tenantId}`, { retention_days: null });
    expect(back.body).toMatchObject({ retention_days: 7, overrides: [] });
    expect(await audited(tenantId)).toEqual(['tenant.created', 'tenant.updated', 'tenant.updated']);
    const [entry] = await api.database.sql`
      select before, after from audit_log where subject = ${tenantId} and after ? 'plan' and action = 'tenant.updated'`;
    expect(entry).toMatchObject({ before: { plan: 'default' }, after: { plan: planId } });
  });

  it('that is disabled takes no events, shows what it has, and is enabled again', async () => {
    const { body } = await create();
    const key = body.api_key;
    expect((await api.call('PATCH', `/tenants/${tenantId}`, { enabled: false })).body.state).toBe('disabled');
    const refused = await api.call('POST', '/events', event(), { key });
    expect([refused.status, refused.body.code]).toEqual([403, 'tenant_disabled']);
    expect((await api.call('GET', `/tenants/${tenantId}`, undefined, { key })).body.state).toBe('disabled');
    await api.call('PATCH', `/tenants/${tenantId}`, { enabled: true });
    expect((await api.call('POST', '/events', event(), { key })).status).toBe(202);
  });

  it('that is deleted is nowhere, with its webhooks and keys, and its id is not given again', async () => {
    const { body } = await create();
    const webhook = { tenant_id: tenantId, url: 'https://hooks.example/a' };
    const { webhook_id } = (await api.call('POST', '/webhooks', webhook)).body;
    expect((await api.call('DELETE', `/tenants/${tenantId}`)).status).toBe(204);
    const answers = [
      await api.call('GET', `/tenants/${tenantId}`),
      await api.call('GET', `/quotas/${tenantId}`),
      await api.call('PATCH', `/tenants/${tenantId}`, { name: 'x' }),
      await api.call('DELETE', `/tenants/${tenantId}`),
      await api.call('POST', '/events', event()),
      await api.call('POST', '/webhooks', webhook),
      await api.call('POST', `/tenants/${tenantId}/cancel`),
    ];
    expect(answers.map((answer) => answer.body.code)).toEqual(answers.map(() => 'tenant_not_found'));
    expect((await api.call('GET', `/webhooks/${webhook_id}`)).body.code).toBe('webhook_not_found');
    const [key] = await api.database.sql`select revoked_at from api_keys where tenant_id = ${tenantId}`;
    expect([typeof body.api_key, key!.revokedAt]).toEqual(['string', expect.any(Date)]);
    expect((await create()).body.code).toBe('tenant_exists');
    expect(api.journaled.items.at(-1)).toMatchObject({ kind: 'purged', tenantId, endpointId: null });
  });

  it('is listed page by page, forwards and backwards, by plan, state and how its id begins', async () => {
    await putPlan();
    for (const end of ['a', 'b', 'c']) await api.createTenant(`${tenantId}-${end}`);
    await api.database
      .sql`update tenants set plan = ${planId} where starts_with(tenant_id, ${`${tenantId}-`})`;
    const ids = (page: { body: { data: { tenant_id: string }[] } }) =>
      page.body.data.map((row) => row.tenant_id);
    const first = await api.call('GET', `/tenants?plan=${planId}&limit=2`);
    const second = await api.call('GET', first.body.next);
    expect([ids(first), ids(second)]).toEqual([[`${tenantId}-a`, `${tenantId}-b`], [`${tenantId}-c`]]);
    expect([second.body.next, first.body.prev]).toEqual([null, null]);
    expect(ids(await api.call('GET', second.body.prev))).toEqual(ids(first));
    await api.call('PATCH', `/tenants/${tenantId}-b`, { enabled: false });
    expect(ids(await api.call('GET', `/tenants?prefix=${tenantId}-&state=disabled`))).toEqual([
      `${tenantId}-b`,
    ]);
    const faults = await api.call('GET', '/tenants?limit=0&state=deleted&prefix=..');
    expect(faults.body.errors.map((fault: { pointer: string }) => fault.pointer).sort()).toEqual([
      '?limit',
      '?prefix',
      '?state',
    ]);
    expect((await api.call('GET', '/tenants?cursor=x')).status).toBe(400);
  });
});

describe('quotas', () => {
  it('are taken back to the plan by null', async () => {
    await putPlan();
    await create({ plan: planId, quotas: { max_events_per_sec: 3 }, dlq_policy: 'refuse' });
    const path = `/quotas/${tenantId}`;
    const own = await api.call('PATCH', path, { max_webhooks: 2 });
    expect(own.body.overrides.sort()).toEqual(['dlq_policy', 'max_events_per_sec', 'max_webhooks']);
    const { body } = await api.call('PATCH', path, { max_events_per_sec: null, dlq_policy: null });
    expect(body).toMatchObject({ limits: quotas, dlq_policy: 'warn', overrides: ['max_webhooks'] });
    const faults = await api.call('PATCH', path, { max_events_per_sec: 0, max_webhooks: 'x', other: 1 });
    expect(faults.body.errors).toHaveLength(3);
  });

  it('are shown in the form that a product’s backend relies on', async () => {
    await create({ quotas: { max_events_per_sec: 10, max_concurrent_deliveries: 4, max_dlq_size: 8 } });
    const { sql } = api.database;
    await sql`insert into tenant_load (tenant_id, worker_id, in_flight, queued, reported_at) values (${tenantId}, 'w', 1, 5, now())`;
    await sql`insert into dead_letter_counts (tenant_id, count) values (${tenantId}, 6)`;
    // What counts by the second comes last, and at once.
    await Promise.all(Array.from({ length: 3 }, () => api.call('POST', '/events', event())));
    const slot = Math.floor(Date.now() / RATE_SLOT_MS);
    await sql`
      insert into rate_counts (tenant_id, replica_id, slot, counts, minute_counts, reported_at) values
        (${tenantId}, 'other', ${slot}, '{1,0,2}', '{5,3}', now()),
        (${tenantId}, 'gone', ${slot - 1_000}, '{4}', '{4}', now() - interval '10 seconds')`;
    const { body } = await api.call('GET', `/quotas/${tenantId}`);
    expect(body).toEqual({
      tenant_id: tenantId,
      plan: 'default',
      limits: {
        max_events_per_sec: 10,
        max_concurrent_deliveries: 4,
        max_dlq_size: 8,
        max_webhooks: 1_000,
      },
      dlq_policy: 'refuse',
      overrides: expect.arrayContaining(['max_dlq_size']),
      current_usage: {
        events_sent: 6,
        events_last_minute: 15,
        concurrent_deliveries: 1,
        dlq_count: 6,
        webhooks: 0,
      },
      remaining: { events: 4, deliveries: 3, dlq: 2 },
      utilisation: { events: 0.6, deliveries: 0.25, dlq: 0.75, webhooks: 0 },
      queued_deliveries: 5,
    });
  });
});

describe('a warning of a rate near its limit', () => {
  const keep = (percent = 80) =>
    actWithin(null, () =>
      api.parts.store.quotas.keepWarnings('max_events_per_sec', [
        {
          eventId: crypto.randomUUID(),
          type: 'posthorn.quota.warning',
          dedupeKey: crypto.randomUUID(),
          tenantId,
          payload: { percent },
        },
      ]),
    );

  it('is kept once while the rate stays there, by whichever replica, and again after it was away', async () => {
    await create();
    await api.call('POST', '/webhooks', {
      tenant_id: 'posthorn',
      url: 'https://ops.example/',
      event_types: ['*'],
    });
    expect(await Promise.all([keep(), keep(), keep()])).toEqual(expect.arrayContaining([0, 0, 1]));
    const { sql } = api.database;
    await sql`update quota_warnings set seen_at = now() - interval '240 seconds' where tenant_id = ${tenantId}`;
    expect(await keep()).toBe(0);
    await sql`update quota_warnings set seen_at = now() - interval '301 seconds' where tenant_id = ${tenantId}`;
    expect(await keep()).toBe(1);
    expect(await sql`select type from operational_events where tenant_id = ${tenantId}`).toHaveLength(2);
  });
});
