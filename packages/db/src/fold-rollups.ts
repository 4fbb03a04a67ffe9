import { inTransaction, type PoolSql, type Sql } from './database.ts';
import { LATENCY_BUCKETS } from './latency-buckets.ts';
import {
  type CountNote,
  type Counts,
  GRAIN_MS,
  GRAINS,
  type Grain,
  LATENCY_AT,
  noCounts,
} from './rollups.ts';

/** Notes added up in one transaction. */
const NOTES_PER_FOLD = 200;
const ROWS_PER_STATEMENT = 2_000;
/** Any fixed number: one at a time adds up. */
const FOLD_LOCK = 7_406_278_254;

/** Adds up what was noted; gives back how many notes that were, and whether there are more. */
export async function foldCounts(
  sql: PoolSql,
  limit = NOTES_PER_FOLD,
): Promise<{ readonly notes: number; readonly more: boolean }> {
  return inTransaction(sql, async (transaction) => {
    const [lock] = await transaction<{ free: boolean }[]>`
      select pg_try_advisory_xact_lock(${FOLD_LOCK}::bigint) as free`;
    if (!lock!.free) return { notes: 0, more: false };
    const noted = await transaction<{ counts: CountNote[] }[]>`
      delete from rollup_log where log_id in (select log_id from rollup_log order by log_id limit ${limit})
      returning counts`;
    const rows = [...spread(merge(noted.flatMap((row) => row.counts))).values()];
    for (let at = 0; at < rows.length; at += ROWS_PER_STATEMENT)
      await addCounts(transaction, rows.slice(at, at + ROWS_PER_STATEMENT));
    return { notes: noted.length, more: noted.length === limit };
  });
}

interface RollupRow extends Counts {
  readonly grain: Grain;
  readonly tenantId: string;
  readonly endpointId: string;
  readonly bucketMs: number;
  readonly eventType: string;
  readonly statusClass: string;
  readonly failure: string;
}

type RollupKey = Omit<RollupRow, keyof Counts>;
type Rows = Map<string, RollupRow>;

/** By what they are noted by: the notes are many, and of few things. */
function merge(notes: readonly CountNote[]): Rows {
  const rows: Rows = new Map();
  for (const note of notes) {
    const [minute, tenantId, endpointId, eventType, statusClass, failure] = note;
    const bucketMs = minute * GRAIN_MS.minute;
    const key = { grain: 'minute' as const, tenantId, endpointId, bucketMs, eventType, statusClass, failure };
    addNote(rowOf(rows, key), note);
  }
  return rows;
}

/** Each counts for its endpoint, its tenant and all, for all types and mostly for its own, by each grain. */
function spread(noted: Rows): Rows {
  const rows: Rows = new Map();
  for (const row of noted.values()) {
    const { tenantId, endpointId, statusClass, failure } = row;
    const owners = [[tenantId, endpointId], ...(endpointId === '' ? [] : [[tenantId, '']]), ['', '']];
    for (const grain of GRAINS) {
      const bucketMs = Math.floor(row.bucketMs / GRAIN_MS[grain]) * GRAIN_MS[grain];
      for (const [tenant, endpoint] of owners) {
        const key = { grain, tenantId: tenant!, endpointId: endpoint!, bucketMs, statusClass, failure };
        for (const eventType of isSplit(grain, endpoint!) ? [row.eventType, ''] : [''])
          addRow(rowOf(rows, { ...key, eventType }), row);
      }
    }
  }
  return rows;
}

/** An endpoint's types are counted by day alone: of many endpoints with many types nothing would come together. */
const isSplit = (grain: Grain, endpointId: string): boolean => endpointId === '' || grain === 'day';

function rowOf(rows: Rows, key: RollupKey): RollupRow {
  const { grain, tenantId, endpointId, bucketMs, eventType, statusClass, failure } = key;
  const name = `${grain}\n${tenantId}\n${endpointId}\n${bucketMs}\n${eventType}\n${statusClass}\n${failure}`;
  let row = rows.get(name);
  if (row === undefined) {
    row = { ...key, ...noCounts() };
    rows.set(name, row);
  }
  return row;
}

function addNote(row: RollupRow, note: CountNote): void {
  const [, , , , , , events, deliveries, attempts, succeeded, deadLetters] = note;
  row.events += events!;
  row.deliveries += deliveries!;
  row.attempts += attempts!;
  row.succeeded += succeeded!;
  row.deadLetters += deadLetters!;
  for (let i = LATENCY_AT; i < note.length; i += 2) row.latency[note[i] as number]! += note[i + 1] as number;
}

function addRow(row: RollupRow, other: RollupRow): void {
  row.events += other.events;
  row.deliveries += other.deliveries;
  row.attempts += other.attempts;
  row.succeeded += other.succeeded;
  row.deadLetters += other.deadLetters;
  for (let bucket = 0; bucket < LATENCY_BUCKETS; bucket++) row.latency[bucket]! += other.latency[bucket]!;
}

const LATENCY_COLUMNS = Array.from({ length: LATENCY_BUCKETS }, (_, i) => `l${i}`);
const ADDED = ['events', 'deliveries', 'attempts', 'succeeded', 'dead_letters', ...LATENCY_COLUMNS];

async function addCounts(sql: Sql, rows: readonly RollupRow[]): Promise<void> {
  const of = <T>(value: (row: RollupRow) => T): T[] => rows.map(value);
  await sql`
    insert into rollups as r (grain, by_type, tenant_id, endpoint_id, bucket, event_type, status_class, failure, events,
                              deliveries, attempts, succeeded, dead_letters, ${sql.unsafe(LATENCY_COLUMNS.join(', '))})
    select grain, event_type <> '', tenant_id, endpoint_id, to_timestamp(bucket_ms::float8 / 1000), event_type, status_class, failure,
           events, deliveries, attempts, succeeded, dead_letters,
           ${sql.unsafe(LATENCY_COLUMNS.map((_, i) => `latency[${i + 1}]`).join(', '))}
    from (
      select *, latency_text::bigint[] as latency from unnest(
        ${of((row) => row.grain)}::text[], ${of((row) => row.tenantId)}::text[], ${of((row) => row.endpointId)}::text[],
        ${of((row) => row.bucketMs)}::bigint[], ${of((row) => row.eventType)}::text[],
        ${of((row) => row.statusClass)}::text[], ${of((row) => row.failure)}::text[], ${of((row) => row.events)}::bigint[],
        ${of((row) => row.deliveries)}::bigint[], ${of((row) => row.attempts)}::bigint[],
        ${of((row) => row.succeeded)}::bigint[], ${of((row) => row.deadLetters)}::bigint[],
        ${of((row) => `{${row.latency.join(',')}}`)}::text[]
      ) as given (grain, tenant_id, endpoint_id, bucket_ms, event_type, status_class, failure, events, deliveries,
                  attempts, succeeded, dead_letters, latency_text)
    ) given
    on conflict (grain, by_type, tenant_id, endpoint_id, bucket, event_type, status_class, failure) do update set
      ${sql.unsafe(ADDED.map((column) => `${column} = r.${column} + excluded.${column}`).join(', '))}`;
}
