import type { Sql } from './database.ts';

/** What workers hold of tenants, each pair once. */
export interface LoadColumns {
  readonly tenantId: string[];
  readonly workerId: string[];
  readonly inFlight: number[];
  readonly queued: number[];
  /** Records passed over in the overflow. */
  readonly overflow: number[];
}

/** A worker that holds something says so about once a second: what is older has ended. By Postgres' clock. */
export const LOAD_FRESH_MS = 5_000;

export async function recordLoad(sql: Sql, rows: LoadColumns): Promise<void> {
  if (rows.tenantId.length === 0) return;
  await sql`
    insert into tenant_load (tenant_id, worker_id, in_flight, queued, overflow, reported_at)
    select tenant_id, worker_id, in_flight, queued, overflow, clock_timestamp()
    from unnest(
      ${rows.tenantId}::text[], ${rows.workerId}::text[], ${rows.inFlight}::int[], ${rows.queued}::int[],
      ${rows.overflow}::int[]
    ) as given (tenant_id, worker_id, in_flight, queued, overflow)
    order by tenant_id, worker_id
    on conflict (tenant_id, worker_id) do update set
      in_flight = excluded.in_flight, queued = excluded.queued, overflow = excluded.overflow,
      reported_at = excluded.reported_at`;
}

export interface TenantLoad {
  readonly inFlight: number;
  readonly queued: number;
  /** Records that wait in the overflow. */
  readonly overflow: number;
}

/** Over all workers. */
export async function tenantLoad(sql: Sql, tenantId: string): Promise<TenantLoad> {
  const [row] = await sql<TenantLoad[]>`
    select coalesce(sum(in_flight), 0)::int as in_flight, coalesce(sum(queued), 0)::int as queued,
           coalesce(sum(overflow), 0)::int as overflow
    from tenant_load
    where tenant_id = ${tenantId} and reported_at > now() - ${LOAD_FRESH_MS} * interval '1 millisecond'`;
  return row!;
}

/** Removes what nobody has said anything about for an hour; gives back how many. */
export async function removeStaleLoad(sql: Sql): Promise<number> {
  const removed = await sql`delete from tenant_load where reported_at < now() - interval '1 hour'`;
  return removed.count;
}
