import type { Sql } from './database.ts';
import { firstIdOf, recordDay } from './record-day.ts';
import type { JobCursor, ReplayJobFilters } from './replay-jobs.ts';

/** A dead letter, and where its delivery stood when it was read. */
export interface DeadLetterCandidate {
  readonly tenantId: string;
  readonly deliveryId: string;
  readonly endpointId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly reason: string;
  readonly run: number;
  readonly round: number;
}

export interface MissingCandidate {
  readonly tenantId: string;
  readonly eventId: string;
  readonly endpointId: string;
  readonly eventType: string;
}

export interface CandidatePage<Candidate> {
  readonly rows: Candidate[];
  /** Where the next page starts; null: there is none. A page may be empty and not the last. */
  readonly cursor: JobCursor;
}

/** More than this many are counted as this many. */
export const MAX_COUNTED = 100_000;
/** Events of all tenants that one statement looks through for those of one. */
const EVENTS_PER_SCAN = 10_000;
/** Events that a count looks through before it says what it has. */
const MAX_EVENTS_COUNTED_OVER = 500_000;
/** An event younger than this may have deliveries that are on their way to the record. */
const RECORD_LAG_S = 60;

/**
 * A tenant's dead letters, the oldest failure first, up to what had failed by `untilMs`: what fails again while a job
 * runs is not replayed by it once more.
 */
export async function pageDeadLetters(
  sql: Sql,
  tenantId: string,
  filters: ReplayJobFilters,
  page: { readonly cursor: JobCursor; readonly limit: number; readonly untilMs: number },
): Promise<CandidatePage<DeadLetterCandidate>> {
  const after = page.cursor as { failedAt: string; deliveryId: string } | null;
  const rows = await sql<(DeadLetterCandidate & { failedAt: Date })[]>`
    select tenant_id, delivery_id, endpoint_id, event_id, event_type, reason, run, round, failed_at
    from dead_letters
    where tenant_id = ${tenantId} and failed_at <= ${new Date(page.untilMs)} ${filtered(sql, filters)}
      ${
        after === null
          ? sql``
          : sql`and failed_at >= ${after.failedAt}::timestamptz
                and (failed_at > ${after.failedAt}::timestamptz or delivery_id < ${after.deliveryId})`
      }
    -- The index backwards.
    order by failed_at, delivery_id desc limit ${page.limit}`;
  const last = rows.length < page.limit ? undefined : rows.at(-1);
  return {
    rows: rows.map(({ failedAt: _failedAt, ...row }) => row),
    cursor: last ? { failedAt: last.failedAt.toISOString(), deliveryId: last.deliveryId } : null,
  };
}

/** Counts to `MAX_COUNTED`. */
export async function countDeadLettersBy(
  sql: Sql,
  tenantId: string,
  filters: ReplayJobFilters,
): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from (
      select 1 from dead_letters where tenant_id = ${tenantId} ${filtered(sql, filters)} limit ${MAX_COUNTED}
    ) found`;
  return row!.count;
}

const filtered = (sql: Sql, filters: ReplayJobFilters) => sql`
  ${filters.endpointId === undefined ? sql`` : sql`and endpoint_id = ${filters.endpointId}`}
  ${filters.eventType === undefined ? sql`` : sql`and event_type = ${filters.eventType}`}
  ${filters.reason === undefined ? sql`` : sql`and reason = ${filters.reason}`}
  ${filters.since === undefined ? sql`` : sql`and failed_at >= ${filters.since}::timestamptz`}
  ${filters.until === undefined ? sql`` : sql`and failed_at < ${filters.until}::timestamptz`}
  ${filters.deliveryIds === undefined ? sql`` : sql`and delivery_id = any(${[...filters.deliveryIds]}::text[])`}`;

/**
 * A tenant's events that an endpoint's subscription matches and that were never sent to it, in the order of their ids,
 * accepted from `since` up to `until`. `endpointId` is required. Each page looks through a bounded number of events. A
 * content filter is not looked at: that is for whoever has the payloads.
 */
export async function pageMissingEvents(
  sql: Sql,
  tenantId: string,
  filters: ReplayJobFilters,
  page: { readonly cursor: JobCursor; readonly limit: number },
): Promise<CandidatePage<MissingCandidate>> {
  const from = (page.cursor as { eventId: string } | null)?.eventId ?? firstIdOf(sinceMs(filters));
  const to = firstIdOf(untilMs(filters));
  const [scan] = await sql<{ last: string | null; scanned: number; found: MissingCandidate[] }[]>`
    with scanned as materialized (
      select event_id, tenant_id, type, labels, revision, accepted_at, day, retention_days from events
      where event_id > ${from}::uuid and event_id < ${to}::uuid
        and day between '1970-01-01'::date + ${recordDay(from)}::int and '1970-01-01'::date + ${recordDay(to)}::int
      order by event_id limit ${EVENTS_PER_SCAN}
    ), found as (
      select event_id, type from scanned e where ${isMissing(sql, tenantId, filters)}
      order by event_id limit ${page.limit}
    )
    select (select event_id from scanned order by event_id desc limit 1) as last,
           (select count(*)::int from scanned) as scanned,
           coalesce((select jsonb_agg(jsonb_build_object('eventId', event_id, 'eventType', type) order by event_id)
                     from found), '[]') as found`;
  const { last, scanned, found } = scan!;
  const rows = found.map((row) => ({ ...row, tenantId, endpointId: filters.endpointId! }));
  if (rows.length === page.limit) return { rows, cursor: { eventId: rows.at(-1)!.eventId } };
  return { rows, cursor: scanned < EVENTS_PER_SCAN ? null : { eventId: last! } };
}

const isMissing = (sql: Sql, tenantId: string, filters: ReplayJobFilters) => sql`
  -- Of a system endpoint it is the other tenants' events.
  (e.tenant_id = ${tenantId}) is distinct from coalesce(
    (select scope = 'all_tenants' from endpoints where endpoint_id = ${filters.endpointId ?? null}), false)
  ${filters.eventType === undefined ? sql`` : sql`and type = ${filters.eventType}`}
  and exists (
    select 1 from (
      select event_types, labels from endpoint_versions
      where endpoint_id = ${filters.endpointId ?? null} and tenant_id = ${tenantId}
      order by valid_from desc limit 1
    ) v
    where e.labels @> v.labels and exists (
      select 1 from unnest(v.event_types) as wanted (filter)
      where filter in ('*', e.type) or (filter like '%.*' and starts_with(e.type, left(filter, -1)))
    )
  )
  and (
    accepted_at < now() - ${RECORD_LAG_S} * interval '1 second'
    or revision < (select min(valid_from) from endpoint_versions where endpoint_id = ${filters.endpointId ?? null})
  )
  and not exists (
    select 1 from deliveries d
    where d.delivery_id >= e.event_id::text || '_' and d.delivery_id < e.event_id::text || '\`'
      and d.day = e.day and d.retention_days = e.retention_days and d.endpoint_id = ${filters.endpointId ?? null}
    -- Looked up one by one: no plan may read a day's deliveries for each page.
    offset 0
  )`;

/** Counts to `MAX_COUNTED`, or over as many events as can be looked through in the time of a request. */
export async function countMissing(sql: Sql, tenantId: string, filters: ReplayJobFilters): Promise<number> {
  let count = 0;
  let cursor: JobCursor = null;
  for (let over = 0; over < MAX_EVENTS_COUNTED_OVER && count < MAX_COUNTED; over += EVENTS_PER_SCAN) {
    const page: CandidatePage<MissingCandidate> = await pageMissingEvents(sql, tenantId, filters, {
      cursor,
      limit: EVENTS_PER_SCAN,
    });
    count += page.rows.length;
    cursor = page.cursor;
    if (cursor === null) break;
  }
  return Math.min(count, MAX_COUNTED);
}

/** The last moment that an event's id can name. */
const MAX_TIME_MS = 2 ** 48 - 1;
const sinceMs = ({ since }: ReplayJobFilters): number => (since === undefined ? 0 : Date.parse(since));
const untilMs = ({ until }: ReplayJobFilters): number =>
  until === undefined ? MAX_TIME_MS : Date.parse(until);
