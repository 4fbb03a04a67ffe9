import { inTransaction, type Sql } from './database.ts';
import { insertOperationalEvents, type NewOperationalEvent } from './operational-events.ts';

/** A use that stays near its quota, or comes back to it within this time, is told about once. */
export const WARNING_QUIET_MS = 300_000;

/**
 * Notes that tenants are near a quota of theirs, and keeps the event of each that was away from there before. Replicas
 * may note the same tenant: one of them tells. Gives back how many events.
 */
export async function noteNearQuota(
  sql: Sql,
  quota: string,
  events: readonly NewOperationalEvent[],
): Promise<number> {
  if (events.length === 0) return 0;
  const tenantIds = events.map((event) => event.tenantId);
  return inTransaction(sql, async (transaction) => {
    const noted = await transaction<{ tenantId: string }[]>`
      insert into quota_warnings as w (tenant_id, quota, seen_at)
      select tenant_id, ${quota}, clock_timestamp() from tenants
      where tenant_id = any(${tenantIds}::text[]) and state <> 'deleted' order by tenant_id
      on conflict (tenant_id, quota) do update set seen_at = excluded.seen_at
      where w.seen_at < excluded.seen_at - ${WARNING_QUIET_MS} * interval '1 millisecond'
      returning tenant_id`;
    await transaction`
      update quota_warnings set seen_at = clock_timestamp() where (tenant_id, quota) in (
        select tenant_id, quota from quota_warnings
        where quota = ${quota} and tenant_id = any(${tenantIds}::text[]) order by tenant_id for update
      )`;
    const away = new Set(noted.map((row) => row.tenantId));
    return insertOperationalEvents(
      transaction,
      events.filter((event) => away.has(event.tenantId)),
    );
  });
}
