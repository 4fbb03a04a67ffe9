import type { Sql } from './database.ts';

/** From when on portal tokens of a tenant are good. */
export interface PortalGuard {
  /** Null: all are. */
  readonly notBefore: Date | null;
}

/** Null for a tenant that there is not. */
export async function findPortalGuard(sql: Sql, tenantId: string): Promise<PortalGuard | null> {
  const [row] = await sql<PortalGuard[]>`
    select r.not_before from tenants t left join portal_revocations r using (tenant_id)
    where t.tenant_id = ${tenantId} and t.state <> 'deleted'`;
  return row ?? null;
}

/** Refuses what was issued until now, by the clock that issues: Postgres'. Null for a tenant that there is not. */
export async function revokePortalTokens(sql: Sql, tenantId: string): Promise<Date | null> {
  const [row] = await sql<{ notBefore: Date }[]>`
    insert into portal_revocations (tenant_id, not_before)
    select tenant_id, date_trunc('milliseconds', clock_timestamp()) from tenants where tenant_id = ${tenantId}
    on conflict (tenant_id) do update set not_before = greatest(portal_revocations.not_before, excluded.not_before)
    returning not_before`;
  return row?.notBefore ?? null;
}

/** Now, by Postgres' clock. */
export async function databaseTime(sql: Sql): Promise<Date> {
  const [row] = await sql<{ now: Date }[]>`select date_trunc('milliseconds', clock_timestamp()) as now`;
  return row!.now;
}
