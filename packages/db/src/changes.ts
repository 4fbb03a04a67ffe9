import type { Sql } from './database.ts';
import type { OthersCounts, RateReport } from './rate-counts.ts';
import { RATE_FRESH_MS } from './rate-counts.ts';

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

export interface ReplicaRead extends ReplicaPoll {
  /** Other live replicas. */
  readonly others: number;
  /** Postgres' clock, at some time between the question and its answer. */
  readonly nowMs: number;
  /** What others have said about the tenants that were asked about. */
  readonly rates: readonly OthersCounts[];
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

interface ReplicaRow {
  readonly value: number;
  readonly appliedByOthers: number | null;
  readonly others: number;
  readonly nowMs: number;
  readonly changes: [tenantId: string, revision: number][] | null;
  readonly rates: [tenantId: string, slot: number, counts: number[]][] | null;
}

/**
 * The statement that a replica of ingest sends every 100 ms: says what it has applied and admitted, reads what changed
 * since, how far the other live replicas are and what they have admitted. It writes no row that another replica writes.
 */
export async function pollReplica(
  sql: Sql,
  replica: { readonly replicaId: string; readonly applied: number; readonly rates?: RateReport },
): Promise<ReplicaRead> {
  const { replicaId, applied, rates = NO_RATES } = replica;
  const rows = await sql<ReplicaRow[]>`
    with seen as (
      insert into ingest_replicas (replica_id, applied, seen_at)
      values (${replicaId}, ${applied}::bigint, clock_timestamp())
      on conflict (replica_id) do update set applied = excluded.applied, seen_at = excluded.seen_at
    ),
    reported as (
      insert into rate_counts (tenant_id, replica_id, slot, counts, minute_counts, reported_at)
      select tenant_id, ${replicaId}, ${rates.slot}::bigint, counts::int[], minute_counts::int[], clock_timestamp()
      from unnest(
        ${rates.rows.map((row) => row.tenantId)}::text[],
        ${rates.rows.map((row) => `{${row.counts.join()}}`)}::text[],
        ${rates.rows.map((row) => `{${row.minuteCounts.join()}}`)}::text[]
      ) as given (tenant_id, counts, minute_counts)
      order by tenant_id
      on conflict (tenant_id, replica_id) do update set
        slot = excluded.slot, counts = excluded.counts, minute_counts = excluded.minute_counts,
        reported_at = excluded.reported_at
    )
    select s.value, others.applied as applied_by_others, others.replicas as others,
           (extract(epoch from clock_timestamp()) * 1000)::float8 as now_ms,
           (
             select jsonb_agg(jsonb_build_array(tenant_id, revision) order by revision) from (
               select tenant_id, revision from tenants where revision > ${applied}::bigint
               order by revision fetch first (${MAX_CHANGES_PER_POLL}::int) rows with ties
             ) t
           ) as changes,
           (
             select jsonb_agg(jsonb_build_array(tenant_id, slot, counts)) from rate_counts
             where tenant_id = any(${[...rates.about]}::text[]) and replica_id <> ${replicaId}
               and reported_at > clock_timestamp() - ${RATE_FRESH_MS} * interval '1 millisecond'
           ) as rates
    from config_sequence s
    cross join (
      select min(applied) as applied, count(*)::int as replicas from ingest_replicas
      where replica_id <> ${replicaId}
        and seen_at > clock_timestamp() - ${REPLICA_LIVE_MS} * interval '1 millisecond'
    ) others`;
  const { value, appliedByOthers, others, nowMs, ...read } = rows[0]!;
  return {
    ...cutAtLast(
      value,
      (read.changes ?? []).map(([tenantId, revision]) => ({ tenantId, revision })),
    ),
    appliedByOthers,
    others,
    nowMs,
    rates: (read.rates ?? []).map(([tenantId, slot, counts]) => ({ tenantId, slot, counts })),
  };
}

const NO_RATES: RateReport = { slot: 0, rows: [], about: [] };

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
  return cutAtLast(rows[0]!.value, changes);
}

/** More than one poll reads are known up to the last that was read. */
function cutAtLast(sequence: number, changes: TenantChange[]): Changes {
  const cut = changes.length >= MAX_CHANGES_PER_POLL;
  return { sequence: cut ? changes.at(-1)!.revision : sequence, changes };
}
