import type { Sql } from './database.ts';

/** A replica of ingest that reported within this time is live, and a change waits for it. By Postgres' clock. */
export const REPLICA_LIVE_MS = 2_000;
/** Tenants that one poll reads; what is beyond comes with the next. */
export const MAX_CHANGES_PER_POLL = 2_000;

export interface TenantChange {
  readonly tenantId: string;
  readonly revision: number;
}

export interface Changes {
  /** Every change up to this number is in `changes` or was known to the caller. */
  readonly sequence: number;
  readonly changes: readonly TenantChange[];
}

export interface ReplicaPoll extends Changes {
  /** The least number that the other live replicas have applied; null when there are none. */
  readonly appliedByOthers: number | null;
}

interface ChangeRow {
  readonly value: number;
  readonly tenantId: string | null;
  readonly revision: number | null;
}

/** Takes the number of the change that this transaction makes; the same one when asked again. */
export async function takeChange(transaction: Sql): Promise<number> {
  const [row] = await transaction<{ change: number }[]>`select current_change() as change`;
  return row!.change;
}

/** The number of the last change that was committed. */
export async function currentSequence(sql: Sql): Promise<number> {
  const [row] = await sql<{ value: number }[]>`select value from config_sequence`;
  return row!.value;
}

/** The tenants whose configuration changed after `sequence`, oldest change first. */
export async function changesSince(sql: Sql, sequence: number): Promise<Changes> {
  const rows = await sql<ChangeRow[]>`
    select s.value, t.tenant_id, t.revision
    from config_sequence s left join lateral (
      select tenant_id, revision from tenants where revision > ${sequence}::bigint
      order by revision fetch first (${MAX_CHANGES_PER_POLL}::int) rows with ties
    ) t on true`;
  return toChanges(rows);
}

/**
 * The statement that a replica of ingest sends every 100 ms: says what it has applied, reads what changed since and
 * how far the other live replicas are.
 */
export async function pollReplica(
  sql: Sql,
  replica: { readonly replicaId: string; readonly applied: number },
): Promise<ReplicaPoll> {
  const rows = await sql<(ChangeRow & { appliedByOthers: number | null })[]>`
    with seen as (
      insert into ingest_replicas (replica_id, applied, seen_at)
      values (${replica.replicaId}, ${replica.applied}::bigint, clock_timestamp())
      on conflict (replica_id) do update set applied = excluded.applied, seen_at = excluded.seen_at
    )
    select s.value, t.tenant_id, t.revision, others.applied as applied_by_others
    from config_sequence s
    cross join (
      select min(applied) as applied from ingest_replicas
      where replica_id <> ${replica.replicaId}
        and seen_at > clock_timestamp() - ${REPLICA_LIVE_MS} * interval '1 millisecond'
    ) others
    left join lateral (
      select tenant_id, revision from tenants where revision > ${replica.applied}::bigint
      order by revision fetch first (${MAX_CHANGES_PER_POLL}::int) rows with ties
    ) t on true`;
  return { ...toChanges(rows), appliedByOthers: rows[0]!.appliedByOthers };
}

/** A replica that stops says so: nobody waits for it any more. Rows of the long dead go with it. */
export async function removeReplica(sql: Sql, replicaId: string): Promise<void> {
  await sql`
    delete from ingest_replicas
    where replica_id = ${replicaId} or seen_at < clock_timestamp() - interval '1 hour'`;
}

function toChanges(rows: readonly ChangeRow[]): Changes {
  const changes: TenantChange[] = [];
  for (const row of rows) {
    if (row.tenantId !== null) changes.push({ tenantId: row.tenantId, revision: row.revision! });
  }
  const cut = changes.length >= MAX_CHANGES_PER_POLL;
  return { sequence: cut ? changes.at(-1)!.revision : rows[0]!.value, changes };
}
