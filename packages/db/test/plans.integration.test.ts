import { databaseUrl } from '@posthorn/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  createTenant,
  currentSequence,
  type Database,
  deleteTenant,
  findPlan,
  findTenantWithQuotas,
  listPlans,
  listTenants,
  loadTenants,
  type NewPlan,
  openDatabase,
  type PoolSql,
  putPlan,
  removePlan,
  updateQuotas,
  updateTenant,
} from '../src/index.ts';

let database: Database;
let sql: PoolSql;
let tenantId: string;
let planId: string;
let made = 0;

const QUOTAS = {
  maxEventsPerSec: 200,
  maxConcurrentDeliveries: 20,
  maxDlqSize: 300,
  maxWebhooks: 7,
  dlqPolicy: 'warn' as const,
};

beforeAll(async () => {
  database = openDatabase({ url: await databaseUrl(), pool: 4, applicationName: 'test' });
  sql = database.sql;
});
afterAll(() => database.close());

beforeEach(async () => {
  made += 1;
  tenantId = `customer-${made}`;
  planId = `plan-${made}`;
  await put({});
  await createTenant(sql, { tenantId, name: '', lanes: [3], plan: planId });
});

const put = ({ quotas, ...over }: Partial<Omit<NewPlan, 'quotas'>> & { quotas?: object }) =>
  putPlan(sql, { planId, name: 'Team', retentionDays: 7, quotas: { ...QUOTAS, ...quotas }, ...over });

/** What is in force, and what of it is the tenant's own. */
async function inForce() {
  const { quotas, retentionDays, ownRetention, revision } = (await findTenantWithQuotas(sql, tenantId))!;
  const { overrides, ...values } = quotas;
  return { values, overrides: [...overrides].sort(), retentionDays, ownRetention, revision };
}

describe('a tenant', () => {
  test('has what its plan gives', async () => {
    expect(await inForce()).toMatchObject({ values: QUOTAS, overrides: [], retentionDays: 7 });
  });

  test('keeps what is its own when its plan changes, and takes the rest of it in one change', async () => {
    await updateQuotas(sql, tenantId, { maxEventsPerSec: 5, maxWebhooks: QUOTAS.maxWebhooks });
    await updateTenant(sql, tenantId, { retentionDays: 90 });
    const changed = await put({
      quotas: { maxEventsPerSec: 1_000, maxWebhooks: 9, maxDlqSize: 1 },
      retentionDays: 30,
    });
    expect(await inForce()).toEqual({
      values: { ...QUOTAS, maxEventsPerSec: 5, maxDlqSize: 1 },
      overrides: ['max_events_per_sec', 'max_webhooks'],
      retentionDays: 90,
      ownRetention: true,
      revision: changed.kind === 'changed' && changed.change,
    });
  });

  test('is under its plan again in a field whose value is taken away', async () => {
    await updateQuotas(sql, tenantId, { maxEventsPerSec: 5, maxDlqSize: 6 });
    await updateQuotas(sql, tenantId, { maxEventsPerSec: null });
    await updateTenant(sql, tenantId, { retentionDays: 90 });
    await updateTenant(sql, tenantId, { retentionDays: null });
    expect(await inForce()).toMatchObject({
      values: { ...QUOTAS, maxDlqSize: 6 },
      overrides: ['max_dlq_size'],
      retentionDays: 7,
      ownRetention: false,
    });
  });

  test('moves to another plan with what is its own', async () => {
    await updateQuotas(sql, tenantId, { maxDlqSize: 6 });
    await updateTenant(sql, tenantId, { plan: 'default' });
    expect(await inForce()).toMatchObject({
      values: { maxEventsPerSec: 100, maxConcurrentDeliveries: 50, maxDlqSize: 6, maxWebhooks: 1_000 },
      overrides: ['max_dlq_size'],
      retentionDays: 30,
    });
    expect(await updateTenant(sql, tenantId, { plan: 'none' })).toEqual({ kind: 'unknown_plan' });
  });

  test('has lanes for which no plan may be too small', async () => {
    await sql`update tenants set lanes = '{1,2,3}' where tenant_id = ${tenantId}`;
    const over = { kind: 'over_cap', tenantId, lanes: 3, cap: 2 };
    expect(await put({ quotas: { maxConcurrentDeliveries: 2 } })).toEqual(over);
    expect(await updateQuotas(sql, tenantId, { maxConcurrentDeliveries: 2 })).toEqual(over);
    expect((await inForce()).values).toEqual(QUOTAS);
  });
});

describe('by SQL alone', () => {
  test('a quota that is set is the tenant’s own, and one that is set to nothing is the plan’s', async () => {
    await sql`update quotas set max_webhooks = 3, max_dlq_size = 4 where tenant_id = ${tenantId}`;
    await sql`update quotas set max_webhooks = null where tenant_id = ${tenantId}`;
    expect(await inForce()).toMatchObject({
      values: { ...QUOTAS, maxDlqSize: 4 },
      overrides: ['max_dlq_size'],
    });
  });

  test('a plan that is changed changes its tenants, in one change', async () => {
    const before = await currentSequence(sql);
    await sql`update plans set max_webhooks = 11, retention_days = 90 where plan_id = ${planId}`;
    expect(await inForce()).toMatchObject({
      values: { ...QUOTAS, maxWebhooks: 11 },
      retentionDays: 90,
      revision: before + 1,
    });
  });

  test('a tenant that is given another plan has its quotas', async () => {
    const { revision } = await inForce();
    await sql`update tenants set plan = 'default' where tenant_id = ${tenantId}`;
    expect(await inForce()).toMatchObject({ values: { maxWebhooks: 1_000 }, retentionDays: 30 });
    expect((await inForce()).revision).toBeGreaterThan(revision);
  });

  test('a tenant that the release before makes has the default plan', async () => {
    await sql`insert into tenants (tenant_id, revision, lanes, retention_days) values ('old', 0, '{1}', 30)`;
    await sql`insert into quotas (tenant_id) values ('old')`;
    tenantId = 'old';
    expect(await inForce()).toMatchObject({
      values: { maxWebhooks: 1_000 },
      overrides: [],
      ownRetention: false,
    });
  });
});

describe('an id', () => {
  test.each([
    ['its own', 'customer-'],
    ['another case', 'Customer-'],
    ['another separator', 'customer_'],
    ['a letter that looks the same', 'cust0mer-'],
  ])('is refused for a second tenant: %s', async (_name, like) => {
    const created = await createTenant(sql, { tenantId: like + made, name: '', lanes: [1] });
    expect(created).toEqual({ kind: 'exists', by: tenantId });
  });
});

describe('a deleted tenant', () => {
  test('is found no more, is loaded so that what waits is cancelled, and keeps its id', async () => {
    const deleted = (await deleteTenant(sql, tenantId))!;
    expect(await findTenantWithQuotas(sql, tenantId)).toBeNull();
    const [loaded] = await loadTenants(sql, [tenantId]);
    expect(loaded).toMatchObject({ state: 'deleted', revision: deleted.change });
    expect(loaded!.cancellations).toEqual([{ revision: deleted.change, endpointId: null, eventId: null }]);
    expect(await createTenant(sql, { tenantId, name: '', lanes: [1] })).toMatchObject({ kind: 'exists' });
    expect([await deleteTenant(sql, tenantId), await updateTenant(sql, tenantId, {})]).toEqual([null, null]);
  });
});

describe('a plan', () => {
  test('is removed when no tenant has it', async () => {
    expect(await removePlan(sql, planId)).toEqual({ kind: 'in_use', tenants: 1 });
    await deleteTenant(sql, tenantId);
    expect(await removePlan(sql, planId)).toMatchObject({ kind: 'removed', plan: { planId } });
    expect(await findPlan(sql, planId)).toBeNull();
    expect(await removePlan(sql, planId)).toBeNull();
    expect(await removePlan(sql, 'default')).toMatchObject({ kind: 'in_use' });
  });

  test('and tenants are listed in both directions', async () => {
    await createTenant(sql, { tenantId: `${tenantId}-b`, name: '', lanes: [1], plan: planId });
    const ids = async (at: string | null, backwards: boolean, over = {}) =>
      (await listTenants(sql, { plan: planId, ...over }, { at, backwards, limit: 10 })).map(
        (row) => row.tenantId,
      );
    expect(await ids(null, false)).toEqual([tenantId, `${tenantId}-b`]);
    expect(await ids(tenantId, false)).toEqual([`${tenantId}-b`]);
    expect(await ids(`${tenantId}-b`, true)).toEqual([tenantId]);
    expect(await ids(null, false, { prefix: `${tenantId}-` })).toEqual([`${tenantId}-b`]);
    expect(await ids(null, false, { state: 'disabled' })).toEqual([]);
    const before = await listPlans(sql, { at: 'plan-', backwards: true, limit: 10 });
    expect(before.map((plan) => plan.planId)).toEqual(['default']);
  });
});
