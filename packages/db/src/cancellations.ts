import { takeChange } from './changes.ts';
import { inTransaction, type Sql } from './database.ts';

/** That hold at once for a tenant: its configuration carries them. */
export const MAX_CANCELLATIONS = 1_000;
/**
 * As long as a record can wait that was accepted before: the farthest `deliver_at`, the longest schedule, and what
 * topics keep, a week each, and a day.
 */
export const CANCELLATION_DAYS = 22;

/** One event, one endpoint, or, with both null, all of the tenant. */
export interface CancellationScope {
  readonly endpointId: string | null;
  readonly eventId: string | null;
}

export type CancellationResult =
  | { readonly kind: 'cancelled'; readonly change: number }
  | { readonly kind: 'too_many'; readonly limit: number };

/**
 * Cancels what was accepted before this change. It takes the place of those it covers: the same scope, or all when it
 * is the tenant's. Null when there is no such tenant.
 */
export async function insertCancellation(
  sql: Sql,
  tenantId: string,
  scope: CancellationScope,
): Promise<CancellationResult | null> {
  return inTransaction(sql, async (transaction): Promise<CancellationResult | null> => {
    const change = await takeChange(transaction);
    const { endpointId, eventId } = scope;
    await transaction`
      delete from cancellations where tenant_id = ${tenantId} and (
        expires_at <= now()
        or (${endpointId}::text is null and ${eventId}::uuid is null)
        or (endpoint_id is not distinct from ${endpointId} and event_id is not distinct from ${eventId}::uuid)
      )`;
    const [tenant] = await transaction<{ live: number }[]>`
      select (select count(*)::int from cancellations c where c.tenant_id = tenants.tenant_id) as live
      from tenants where tenant_id = ${tenantId}`;
    if (!tenant) return null;
    if (tenant.live >= MAX_CANCELLATIONS) return { kind: 'too_many', limit: MAX_CANCELLATIONS };
    await transaction`
      insert into cancellations (tenant_id, revision, endpoint_id, event_id, expires_at)
      values (${tenantId}, ${change}::bigint, ${endpointId}, ${eventId}::uuid,
              now() + ${CANCELLATION_DAYS} * interval '1 day')`;
    return { kind: 'cancelled', change };
  });
}

/** Removes those that cover nothing any more; gives back how many. */
export async function removeExpiredCancellations(sql: Sql): Promise<number> {
  const removed = await sql`delete from cancellations where expires_at <= now()`;
  return removed.count;
}
