import type { Sql } from './database.ts';
import { LATENCY_BUCKETS } from './latency-buckets.ts';

/**
 * Counts by time. A batch of the record notes what it has added in `rollup_log`, in its own transaction; the notes are
 * added up every few seconds (`foldCounts`), for each endpoint, each tenant and all together, by minute, hour and day at
 * once. So a count is neither lost nor doubled, and a batch pays for one row.
 */
export const GRAINS = ['minute', 'hour', 'day'] as const;
export type Grain = (typeof GRAINS)[number];
export const GRAIN_MS: Readonly<Record<Grain, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
};
/** How long counts are kept. */
export const ROLLUP_DAYS: Readonly<Record<Grain, number>> = { minute: 2, hour: 32, day: 800 };

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
/** Where the latencies of a note begin. */
export const LATENCY_AT = 11;

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

/** Notes that wait to be added up, counted to `limit`. */
export async function countNotes(sql: Sql, limit = 10_000): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from (select 1 from rollup_log limit ${limit}) waiting`;
  return row!.count;
}

const ROWS_PER_REMOVAL = 20_000;

/** Removes counts past their time, a bounded number a call; gives back how many. */
export async function removeOldRollups(sql: Sql, limit = ROWS_PER_REMOVAL): Promise<number> {
  let removed = 0;
  for (const grain of GRAINS) {
    // No index by time alone, which every count would pay for: what is oldest lies in front. A grain is one partition,
    // in which a place is one row's.
    const old = await sql`
      delete from rollups where grain = ${grain} and ctid = any(array(
        select ctid from rollups
        where grain = ${grain} and bucket < now() - ${ROLLUP_DAYS[grain]} * interval '1 day' limit ${limit}
      ))`;
    removed += old.count;
  }
  return removed;
}
