import type { Sql } from './database.ts';
import { inTransaction, type PoolSql } from './database.ts';
import { LATENCY_BUCKETS } from './latency-buckets.ts';

/**
 * Counts by time. A batch of the record notes what it has added in `rollup_log`, in its own transaction; a worker adds
 * these notes up every few seconds, for each endpoint, each tenant and all together, by minute, hour and day at once.
 * So a count is neither lost nor doubled, and a batch pays for one row.
 */
export const GRAINS = ['minute', 'hour', 'day'] as const;
export type Grain = (typeof GRAINS)[number];
export const GRAIN_MS: Readonly<Record<Grain, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
};
/** How long counts are kept. */
export const ROLLUP_DAYS: Readonly<Record<Grain, number>> = { minute: 2, hour: 100, day: 800 };

export interface Counts {
  events: number;
  /** That were made: by an event's fan-out, or by a replay that opens a run. */
  deliveries: number;
  attempts: number;
  succeeded: number;
  deadLetters: number;
  /** Attempts by `latencyBucket`. */
  latency: number[];
}

/** What is counted together. */
export interface CountKey {
  /** Unix minutes. */
  readonly minute: number;
  readonly tenantId: string;
  /** '' of events. */
  readonly endpointId: string;
  readonly eventType: string;
  /** '' of what is no attempt. */
  readonly statusClass: string;
  readonly failure: string;
}

export const noCounts = (): Counts => ({
  events: 0,
  deliveries: 0,
  attempts: 0,
  succeeded: 0,
  deadLetters: 0,
  latency: new Array<number>(LATENCY_BUCKETS).fill(0),
});

/** As they are kept until they are added up: the key, the five counts, then bucket and count of latencies in turn. */
export type CountNote = readonly [
  minute: number,
  tenantId: string,
  endpointId: string,
  eventType: string,
  statusClass: string,
  failure: string,
  ...counts: number[],
];
const LATENCY_AT = 11;

export function toNote(key: CountKey, counts: Counts): CountNote {
  const { events, deliveries, attempts, succeeded, deadLetters } = counts;
  const latency = counts.latency.flatMap((count, bucket) => (count === 0 ? [] : [bucket, count]));
  return [
    key.minute,
    key.tenantId,
    key.endpointId,
    key.eventType,
    key.statusClass,
    key.failure,
    ...[events, deliveries, attempts, succeeded, deadLetters, ...latency],
  ];
}

export async function noteCounts(sql: Sql, notes: readonly CountNote[]): Promise<void> {
  if (notes.length === 0) return;
  await sql`insert into rollup_log (counts) values (${JSON.stringify(notes)}::text::json)`;
}

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
    const rows = [...addUp(noted.flatMap((row) => row.counts)).values()];
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

/** Each note counts for its endpoint, its tenant and all, by each grain. */
function addUp(notes: readonly CountNote[]): Map<string, RollupRow> {
  const rows = new Map<string, RollupRow>();
  for (const note of notes) {
    const [minute, tenantId, endpointId] = note;
    const owners = [[tenantId, endpointId], ...(endpointId === '' ? [] : [[tenantId, '']]), ['', '']];
    for (const grain of GRAINS) {
      const bucketMs = Math.floor((minute * 60_000) / GRAIN_MS[grain]) * GRAIN_MS[grain];
      for (const [tenant, endpoint] of owners)
        add(rows, { grain, bucketMs, tenant: tenant!, endpoint: endpoint! }, note);
    }
  }
  return rows;
}

function add(
  rows: Map<string, RollupRow>,
  at: { grain: Grain; bucketMs: number; tenant: string; endpoint: string },
  note: CountNote,
): void {
  const [, , , eventType, statusClass, failure, events, deliveries, attempts, succeeded, deadLetters] = note;
  const key = `${at.grain}\n${at.tenant}\n${at.endpoint}\n${at.bucketMs}\n${eventType}\n${statusClass}\n${failure}`;
  let row = rows.get(key);
  if (row === undefined) {
    const { grain, bucketMs, tenant: tenantId, endpoint: endpointId } = at;
    row = { grain, bucketMs, tenantId, endpointId, eventType, statusClass, failure, ...noCounts() };
    rows.set(key, row);
  }
  row.events += events!;
  row.deliveries += deliveries!;
  row.attempts += attempts!;
  row.succeeded += succeeded!;
  row.deadLetters += deadLetters!;
  for (let i = LATENCY_AT; i < note.length; i += 2) row.latency[note[i] as number]! += note[i + 1] as number;
}

const LATENCY_COLUMNS = Array.from({ length: LATENCY_BUCKETS }, (_, i) => `l${i}`);
const ADDED = ['events', 'deliveries', 'attempts', 'succeeded', 'dead_letters', ...LATENCY_COLUMNS];

async function addCounts(sql: Sql, rows: readonly RollupRow[]): Promise<void> {
  const of = <T>(value: (row: RollupRow) => T): T[] => rows.map(value);
  await sql`
    insert into rollups as r (grain, tenant_id, endpoint_id, bucket, event_type, status_class, failure, events,
                              deliveries, attempts, succeeded, dead_letters, ${sql.unsafe(LATENCY_COLUMNS.join(', '))})
    select grain, tenant_id, endpoint_id, to_timestamp(bucket_ms::float8 / 1000), event_type, status_class, failure,
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
    on conflict (grain, tenant_id, endpoint_id, bucket, event_type, status_class, failure) do update set
      ${sql.unsafe(ADDED.map((column) => `${column} = r.${column} + excluded.${column}`).join(', '))}`;
}

const ROWS_PER_REMOVAL = 20_000;

/** Removes counts past their time, a bounded number a call; gives back how many. */
export async function removeOldRollups(sql: Sql, limit = ROWS_PER_REMOVAL): Promise<number> {
  let removed = 0;
  for (const grain of GRAINS) {
    const old = await sql`
      delete from rollups where grain = ${grain} and (tenant_id, endpoint_id, bucket, event_type, status_class, failure) in (
        select tenant_id, endpoint_id, bucket, event_type, status_class, failure from rollups
        where grain = ${grain} and bucket < now() - ${ROLLUP_DAYS[grain]} * interval '1 day'
        order by bucket limit ${limit}
      )`;
    removed += old.count;
  }
  return removed;
}
