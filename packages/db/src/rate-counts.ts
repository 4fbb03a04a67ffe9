import type { Sql } from './database.ts';

/** A slot of `rate_counts`: slots are numbered from the epoch, by Postgres' clock. */
export const RATE_SLOT_MS = 10;
export const SLOTS_PER_SECOND = 1_000 / RATE_SLOT_MS;
/** A span of `minute_counts`. */
export const SLOTS_PER_SPAN = 500;
export const SPANS_PER_MINUTE = 60_000 / (SLOTS_PER_SPAN * RATE_SLOT_MS);
/** What a replica has last said of a tenant is read for this long: it says it again as long as there are events. */
export const RATE_FRESH_MS = 4_000;
/** A quiet tenant is reported once a second. */
const LAST_SECOND_FRESH_MS = 1_500;

/** What a replica has admitted of a tenant; in both lists the last place is that of the report's slot. */
export interface RateCounts {
  readonly tenantId: string;
  readonly counts: readonly number[];
  readonly minuteCounts: readonly number[];
}

/** What a replica says in its 100 ms statement, and of whom it wants to hear what others say. */
export interface RateReport {
  readonly slot: number;
  readonly rows: readonly RateCounts[];
  readonly about: readonly string[];
}

/** What another replica has admitted of a tenant up to `slot`, the last place of `counts`. */
export interface OthersCounts {
  readonly tenantId: string;
  readonly slot: number;
  readonly counts: readonly number[];
}

export interface RateUse {
  readonly lastSecond: number;
  readonly lastMinute: number;
}

/** The use of a tenant at all replicas but one, as they have last said. */
export async function rateOfOthers(sql: Sql, tenantId: string, replicaId: string): Promise<RateUse> {
  const [row] = await sql<RateUse[]>`
    select
      coalesce(sum((
        select sum(n) from unnest(counts[greatest(1, cardinality(counts) - ${SLOTS_PER_SECOND - 1}) :]) as n
        where reported_at > clock_timestamp() - ${LAST_SECOND_FRESH_MS} * interval '1 millisecond'
      )), 0)::int as last_second,
      coalesce(sum((
        select sum(n) from unnest(minute_counts) with ordinality as span (n, place)
        where slot / ${SLOTS_PER_SPAN} - cardinality(minute_counts) + place > now_span - ${SPANS_PER_MINUTE}
      )), 0)::int as last_minute
    from rate_counts, lateral (
      select floor(extract(epoch from clock_timestamp()) * 1000 / ${SLOTS_PER_SPAN * RATE_SLOT_MS})::bigint as now_span
    ) clock
    where tenant_id = ${tenantId} and replica_id <> ${replicaId}
      and reported_at > clock_timestamp() - interval '1 minute'`;
  return row!;
}

/** Removes what nobody reads any more; gives back how many. */
export async function removeStaleRateCounts(sql: Sql): Promise<number> {
  const removed = await sql`delete from rate_counts where reported_at < now() - interval '5 minutes'`;
  return removed.count;
}
