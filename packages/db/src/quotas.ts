import { takeChange } from './changes.ts';
import { inTransaction, type Sql } from './database.ts';

export type DlqPolicy = 'refuse' | 'drop_oldest' | 'warn';

export interface Quotas {
  readonly maxEventsPerSec: number;
  readonly maxConcurrentDeliveries: number;
  readonly maxDlqSize: number;
  readonly maxWebhooks: number;
  readonly dlqPolicy: DlqPolicy;
}

export type QuotaField = keyof Quotas;

/** A value of the tenant's own; null takes it away, and the plan's is in force again. */
export type QuotaChanges = { readonly [F in QuotaField]?: Quotas[F] | null };

export const QUOTA_COLUMNS: { readonly [F in QuotaField]: string } = {
  maxEventsPerSec: 'max_events_per_sec',
  maxConcurrentDeliveries: 'max_concurrent_deliveries',
  maxDlqSize: 'max_dlq_size',
  maxWebhooks: 'max_webhooks',
  dlqPolicy: 'dlq_policy',
};
export const QUOTA_FIELDS = Object.keys(QUOTA_COLUMNS) as readonly QuotaField[];

/** What is in force, and which fields are the tenant's own. */
export interface TenantQuotas extends Quotas {
  readonly overrides: readonly string[];
}

/** Null when there is no such tenant. */
export async function findQuotas(sql: Sql, tenantId: string): Promise<TenantQuotas | null> {
  const [row] = await sql<TenantQuotas[]>`
    select max_events_per_sec, max_concurrent_deliveries, max_dlq_size, max_webhooks, dlq_policy, overrides
    from quotas where tenant_id = ${tenantId}`;
  return row ?? null;
}

export type QuotasChange =
  | { readonly kind: 'changed'; readonly change: number; readonly quotas: TenantQuotas }
  | TooManyLanes;

/** Each lane needs one concurrent delivery, those that still drain included. */
export interface TooManyLanes {
  readonly kind: 'over_cap';
  readonly tenantId: string;
  readonly lanes: number;
  readonly cap: number;
}

/** Carries a refusal out of a transaction, which it undoes. */
class OverCap extends Error {
  override name = 'OverCap';
  readonly found: TooManyLanes;
  constructor(found: TooManyLanes) {
    super(`${found.lanes} lanes, cap ${found.cap}`);
    this.found = found;
  }
}

/** Makes a change of quotas or plans, unless it leaves a tenant with more lanes than concurrent deliveries. */
export async function changeWithinCaps<T>(
  sql: Sql,
  make: (transaction: Sql, change: number) => Promise<T>,
): Promise<T | TooManyLanes> {
  try {
    return await inTransaction(sql, async (transaction) => {
      // Taken first: it makes concurrent changes wait, so what is read below holds until this one commits.
      const change = await takeChange(transaction);
      const made = await make(transaction, change);
      const [over] = await transaction<{ tenantId: string; lanes: number; cap: number }[]>`
        select tenant_id, cardinality(lanes) + cardinality(draining_lanes) as lanes,
               max_concurrent_deliveries as cap
        from tenants join quotas using (tenant_id)
        where revision = ${change}::bigint and state <> 'deleted'
          and cardinality(lanes) + cardinality(draining_lanes) > max_concurrent_deliveries
        limit 1`;
      if (over) throw new OverCap({ kind: 'over_cap', ...over });
      return made;
    });
  } catch (error) {
    if (error instanceof OverCap) return error.found;
    throw error;
  }
}

/** Changes the quotas that are given. Null when there is no such tenant. */
export async function updateQuotas(
  sql: Sql,
  tenantId: string,
  quotas: QuotaChanges,
): Promise<QuotasChange | null> {
  return changeWithinCaps(sql, async (transaction, change): Promise<QuotasChange | null> => {
    const updated = await setQuotas(transaction, tenantId, quotas);
    return updated && { kind: 'changed', change, quotas: updated };
  });
}

/** A field that is given is the tenant's own from now on, also with the value of its plan. */
export async function setQuotas(
  sql: Sql,
  tenantId: string,
  quotas: QuotaChanges,
): Promise<TenantQuotas | null> {
  const columns = (fits: (value: unknown) => boolean): string[] =>
    QUOTA_FIELDS.filter((field) => quotas[field] !== undefined && fits(quotas[field])).map(
      (field) => QUOTA_COLUMNS[field],
    );
  const given = columns((value) => value !== null);
  const removed = columns((value) => value === null);
  const [row] = await sql<TenantQuotas[]>`
    update quotas set
      max_events_per_sec = coalesce(${quotas.maxEventsPerSec ?? null}::int, max_events_per_sec),
      max_concurrent_deliveries =
        coalesce(${quotas.maxConcurrentDeliveries ?? null}::int, max_concurrent_deliveries),
      max_dlq_size = coalesce(${quotas.maxDlqSize ?? null}::int, max_dlq_size),
      max_webhooks = coalesce(${quotas.maxWebhooks ?? null}::int, max_webhooks),
      dlq_policy = coalesce(${quotas.dlqPolicy ?? null}::text, dlq_policy),
      overrides = array(
        select unnest(overrides) union select unnest(${given}::text[])
        except select unnest(${removed}::text[])
      )
    where tenant_id = ${tenantId}
    returning max_events_per_sec, max_concurrent_deliveries, max_dlq_size, max_webhooks, dlq_policy, overrides`;
  return row ?? null;
}
