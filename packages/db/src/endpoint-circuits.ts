import type { Sql } from './database.ts';

/** What workers say of circuits, each pair of endpoint and worker once. Times in Unix milliseconds by their clocks. */
export interface CircuitColumns {
  readonly endpointId: string[];
  readonly workerId: string[];
  readonly tenantId: string[];
  /** Null: it is closed. */
  readonly nextProbeAtMs: (number | null)[];
  readonly changedAtMs: number[];
}

export interface OpenCircuit {
  readonly endpointId: string;
  /** The soonest of the workers that have it open; one that has passed is made by the next delivery. */
  readonly nextProbeAt: Date;
}

/** A worker's own order decides, however often and late an entry is read. */
export async function recordCircuits(sql: Sql, rows: CircuitColumns): Promise<void> {
  if (rows.endpointId.length === 0) return;
  await sql`
    insert into endpoint_circuits as c (endpoint_id, worker_id, tenant_id, next_probe_at, changed_at)
    select endpoint_id, worker_id, tenant_id, to_timestamp(next_probe_at_ms::float8 / 1000),
           to_timestamp(changed_at_ms::float8 / 1000)
    from unnest(
      ${rows.endpointId}::text[], ${rows.workerId}::text[], ${rows.tenantId}::text[],
      ${rows.nextProbeAtMs}::bigint[], ${rows.changedAtMs}::bigint[]
    ) as given (endpoint_id, worker_id, tenant_id, next_probe_at_ms, changed_at_ms)
    order by endpoint_id, worker_id
    on conflict (endpoint_id, worker_id) do update set
      next_probe_at = excluded.next_probe_at, changed_at = excluded.changed_at
    where c.changed_at <= excluded.changed_at`;
}

/** Those of a tenant's endpoints whose circuit some worker has open. */
export async function findOpenCircuits(
  sql: Sql,
  tenantId: string,
  endpointIds: readonly string[],
): Promise<Map<string, OpenCircuit>> {
  if (endpointIds.length === 0) return new Map();
  const rows = await sql<OpenCircuit[]>`
    select endpoint_id, min(next_probe_at) as next_probe_at from endpoint_circuits
    where endpoint_id = any(${[...endpointIds]}::text[]) and tenant_id = ${tenantId}
      and next_probe_at is not null
    group by endpoint_id`;
  return new Map(rows.map((row) => [row.endpointId, row]));
}

/**
 * Removes what its worker has not spoken of for an hour, closed or left open by a crash: an open circuit for which
 * something waits is probed, and spoken of, more often than that. Gives back how many.
 */
export async function removeStaleCircuits(sql: Sql): Promise<number> {
  const removed = await sql`delete from endpoint_circuits where changed_at < now() - interval '1 hour'`;
  return removed.count;
}
