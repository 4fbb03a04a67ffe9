import { insertCancellation } from './cancellations.ts';
import { takeChange } from './changes.ts';
import { inTransaction, type Sql } from './database.ts';
import type { UnknownTypePolicy } from './event-types.ts';
import {
  changeWithinCaps,
  findQuotas,
  type Quotas,
  setQuotas,
  type TenantQuotas,
  type TooManyLanes,
} from './quotas.ts';
import { findTenant, type RetentionDays, type TenantState, type TenantSummary } from './tenants.ts';

export interface NewTenant {
  readonly tenantId: string;
  readonly name: string;
  readonly lanes: readonly number[];
  /** `default` when it is left out. */
  readonly plan?: string;
  /** What is left out is the plan's. So for the quotas. */
  readonly retentionDays?: RetentionDays;
  readonly quotas?: Partial<Quotas>;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly unknownEventTypes?: UnknownTypePolicy;
}

export type TenantCreation =
  | { readonly kind: 'created'; readonly change: number }
  /** `by` has the id, or one that is easily taken for it. */
  | { readonly kind: 'exists'; readonly by: string }
  | { readonly kind: 'unknown_plan' };

/** Creates the tenant with its quotas. */
export async function createTenant(sql: Sql, tenant: NewTenant): Promise<TenantCreation> {
  return inTransaction(sql, async (transaction): Promise<TenantCreation> => {
    const { tenantId, plan = 'default' } = tenant;
    // One creation at a time: none is made between this look and the insert.
    const change = await takeChange(transaction);
    const [taken] = await transaction<{ tenantId: string }[]>`
      select tenant_id from tenants where skeleton = translate(lower(${tenantId}), '_oil', '-011')
      order by tenant_id <> ${tenantId} limit 1`;
    if (taken) return { kind: 'exists', by: taken.tenantId };
    if (!(await isPlan(transaction, plan))) return { kind: 'unknown_plan' };
    await transaction`
      insert into tenants (tenant_id, name, revision, lanes, plan, retention_days, own_retention, metadata,
                           unknown_event_types)
      values (${tenantId}, ${tenant.name}, ${change}::bigint, ${[...tenant.lanes]}::int[], ${plan},
              ${tenant.retentionDays ?? null}, ${tenant.retentionDays !== undefined},
              ${transaction.json(tenant.metadata ?? {})}, ${tenant.unknownEventTypes ?? 'allow'})`;
    await transaction`insert into quotas (tenant_id) values (${tenantId})`;
    if (tenant.quotas) await setQuotas(transaction, tenantId, tenant.quotas);
    return { kind: 'created', change };
  });
}

const isPlan = async (sql: Sql, planId: string): Promise<boolean> =>
  (await sql`select 1 from plans where plan_id = ${planId} for share`).length > 0;

export interface TenantChanges {
  readonly name?: string | undefined;
  readonly plan?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Null: the plan's. */
  readonly retentionDays?: RetentionDays | null | undefined;
  readonly state?: Exclude<TenantState, 'deleted'> | undefined;
  readonly unknownEventTypes?: UnknownTypePolicy | undefined;
}

export interface FoundTenant extends TenantSummary {
  readonly quotas: TenantQuotas;
}

export type TenantUpdate =
  | {
      readonly kind: 'changed';
      readonly change: number;
      readonly before: FoundTenant;
      readonly tenant: FoundTenant;
    }
  | { readonly kind: 'unknown_plan' }
  | TooManyLanes;

/** Null when there is no such tenant. */
export async function findTenantWithQuotas(sql: Sql, tenantId: string): Promise<FoundTenant | null> {
  const [tenant, quotas] = await Promise.all([findTenant(sql, tenantId), findQuotas(sql, tenantId)]);
  return tenant && quotas ? { ...tenant, quotas } : null;
}

/** Changes what is given. Null when there is no such tenant. */
export async function updateTenant(
  sql: Sql,
  tenantId: string,
  changes: TenantChanges,
): Promise<TenantUpdate | null> {
  return changeWithinCaps(sql, async (transaction, change): Promise<TenantUpdate | null> => {
    const before = await findTenantWithQuotas(transaction, tenantId);
    if (before === null) return null;
    if (changes.plan !== undefined && !(await isPlan(transaction, changes.plan)))
      return { kind: 'unknown_plan' };
    const { retentionDays } = changes;
    await transaction`
      update tenants set
        name = ${changes.name ?? before.name},
        plan = ${changes.plan ?? before.plan},
        metadata = ${transaction.json(changes.metadata ?? before.metadata)},
        state = ${changes.state ?? before.state},
        unknown_event_types = ${changes.unknownEventTypes ?? before.unknownEventTypes},
        retention_days = ${retentionDays === undefined ? before.retentionDays : retentionDays},
        own_retention = ${retentionDays === undefined ? before.ownRetention : retentionDays !== null},
        updated_at = now()
      where tenant_id = ${tenantId}`;
    const tenant = (await findTenantWithQuotas(transaction, tenantId))!;
    return { kind: 'changed', change, before, tenant };
  });
}

/**
 * Ends a tenant: nothing of it is accepted, delivered or shown from this change on, its webhooks and keys are gone. Its
 * row stays, so that the id means nobody else. Null when there is no such tenant.
 */
export async function deleteTenant(
  sql: Sql,
  tenantId: string,
): Promise<{ readonly change: number; readonly before: FoundTenant } | null> {
  return inTransaction(sql, async (transaction) => {
    const change = await takeChange(transaction);
    const before = await findTenantWithQuotas(transaction, tenantId);
    if (before === null) return null;
    // Its plan may be removed although this row stays.
    await transaction`
      update tenants set state = 'deleted', plan = 'default', updated_at = now() where tenant_id = ${tenantId}`;
    await transaction`
      update endpoint_versions set valid_until = ${change}::bigint, closed_at = now()
      where tenant_id = ${tenantId} and valid_until is null`;
    await transaction`
      update endpoints set state = 'deleted', state_reason = 'person', pause_mode = null, updated_at = now()
      where tenant_id = ${tenantId} and state <> 'deleted'`;
    await transaction`
      update api_keys set revoked_at = now() where tenant_id = ${tenantId} and revoked_at is null`;
    await insertCancellation(transaction, tenantId, { endpointId: null, eventId: null });
    return { change, before };
  });
}
