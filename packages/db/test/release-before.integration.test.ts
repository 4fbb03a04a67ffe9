import { mintEndpointId, mintEventId } from '@posthorn/contracts';
import { databaseUrl } from '@posthorn/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type Database,
  findApiKey,
  findEndpoint,
  findQuotas,
  openDatabase,
  type PoolSql,
} from '../src/index.ts';

/** Statements as the release before sends them: it runs on this schema during an upgrade, and again on the way back. */
let database: Database;
let sql: PoolSql;
beforeAll(async () => {
  database = openDatabase({ url: await databaseUrl(), pool: 2, applicationName: 'test' });
  sql = database.sql;
});
afterAll(() => database.close());

async function createTenant(tenantId: string, quotas: Record<string, number>): Promise<void> {
  await sql.begin(async (transaction) => {
    await transaction`select current_change()`;
    await transaction`
      insert into tenants (tenant_id, name, revision, lanes, retention_days)
      values (${tenantId}, '', current_change(), '{3}', 30) on conflict (tenant_id) do nothing returning tenant_id`;
    await transaction`insert into quotas (tenant_id) values (${tenantId})`;
    await transaction`update quotas set ${transaction(quotas)} where tenant_id = ${tenantId}`;
    await transaction`
      insert into audit_log (actor, action, tenant_id, subject, detail)
      values ('key_1', 'tenant.created', ${tenantId}, ${tenantId}, '{}')`;
  });
}

test('a tenant is made with the limits that it is given, and otherwise with those of its plan', async () => {
  await createTenant('made-before', { max_events_per_sec: 250, max_webhooks: 1_000 });
  expect(await findQuotas(sql, 'made-before')).toMatchObject({
    maxEventsPerSec: 250,
    maxConcurrentDeliveries: 50,
    maxWebhooks: 1_000,
    dlqPolicy: 'refuse',
  });
});

test('a change is audited once, by who made it, as a link of the chain', async () => {
  await createTenant('audited-before', { max_dlq_size: 7 });
  const entries = await sql`
    select actor, action, by_trigger, seq is not null as chained from audit_log
    where tenant_id = 'audited-before'`;
  expect([...entries]).toEqual([
    { actor: 'key_1', action: 'tenant.created', byTrigger: false, chained: true },
  ]);
});

test('a key has all that its kind can do', async () => {
  const keyHash = Buffer.alloc(32, 7);
  await sql`
    insert into api_keys (key_id, key_hash, kind, tenant_id) values ('key_before', ${keyHash}, 'operator', null)
    on conflict do nothing returning key_id`;
  expect(await findApiKey(sql, keyHash)).toMatchObject({ kind: 'operator', scopes: ['admin'] });
});

test('an endpoint is made, closed and opened again', async () => {
  await createTenant('endpoint-before', { max_webhooks: 2 });
  const endpointId = mintEndpointId(Date.UTC(2026, 10, 22));
  const [tenantId, url] = ['endpoint-before', 'https://example.com/hook'];
  await sql.begin(async (transaction) => {
    await transaction`
      insert into endpoints (endpoint_id, tenant_id, url, description, sealed_secrets, retry_schedule_ms,
                             attempt_timeout_ms, max_concurrency, max_per_sec, max_retry_ms)
      values (${endpointId}, ${tenantId}, ${url}, '', '["sealed"]', null, null, null, null, null)`;
    await transaction`
      insert into endpoint_versions (endpoint_id, valid_from, tenant_id, event_types, labels)
      values (${endpointId}, current_change(), ${tenantId}, '{*}', '{}')`;
  });
  await sql.begin(async (transaction) => {
    await transaction`
      update endpoint_versions set valid_until = current_change(), closed_at = now()
      where endpoint_id = ${endpointId} and valid_until is null`;
    await transaction`update endpoints set state = 'disabled', state_reason = 'gone' where endpoint_id = ${endpointId}`;
  });
  expect(await findEndpoint(sql, tenantId, endpointId)).toMatchObject({
    url,
    method: 'POST',
    filter: null,
    state: 'disabled',
  });
});

test('an attempt is recorded once, however often it is read', async () => {
  const eventId = mintEventId(Date.UTC(2026, 10, 22));
  const attemptId = mintEventId(Date.UTC(2026, 10, 22, 1));
  const record = () => sql`
    insert into attempts (attempt_id, delivery_id, tenant_id, endpoint_id, event_id, run, round, attempt, state,
                          started_at, duration_ms, status, failure, error, response_body, trace_id,
                          retention_days, day)
    values (${attemptId}, ${`${eventId}_1`}, 'made-before', 'ep_1', ${eventId}, 0, 0, 1, 'success', now(), 12, 200,
            null, null, null, '', 30, '2026-11-22')
    on conflict do nothing`;
  expect((await record()).count).toBe(1);
  expect((await record()).count).toBe(0);
});
