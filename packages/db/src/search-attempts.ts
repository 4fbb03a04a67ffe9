import { type AttemptRow, type AttemptSummary, attemptColumns } from './attempts.ts';
import type { Sql } from './database.ts';
import { DAY_MS, eventIdOf, firstIdOf, recordDay } from './record-day.ts';
import { daysOf, inClass, isOfFew, type StatusClass, type TimeRange } from './search-deliveries.ts';
import {
  type DaySpan,
  type SpanQuery,
  type SpanRow,
  type WalkedPage,
  type WalkRequest,
  walkDays,
  walkEach,
} from './walk-record.ts';

/** Times are those at which the requests began; both ends are included. */
export interface AttemptFilter extends TimeRange {
  /** Any of these. */
  readonly endpointIds?: readonly string[] | undefined;
  readonly eventId?: string | undefined;
  readonly deliveryId?: string | undefined;
  readonly eventType?: string | undefined;
  /** Where the attempt left the delivery. */
  readonly state?: AttemptRow['state'] | undefined;
  readonly statusClass?: StatusClass | undefined;
  readonly failure?: string | undefined;
}

type SearchedAttempt = AttemptSummary & SpanRow;

/** Newest first; of all tenants when `tenantId` is null. The key of a page is an attempt's id. */
export async function searchAttempts(
  sql: Sql,
  tenantId: string | null,
  filter: AttemptFilter,
  page: WalkRequest & { readonly nowMs: number },
): Promise<WalkedPage<AttemptSummary>> {
  if (filter.deliveryId === undefined && isOfFew(filter))
    return walkEach(
      filter.endpointIds,
      page,
      (row) => row.attemptId,
      (endpointId) => searchAttempts(sql, tenantId, { ...filter, endpointIds: [endpointId] }, page),
    );
  const { deliveryId, eventId = deliveryId && eventIdOf(deliveryId) } = filter;
  const scoped = { ...filter, eventId };
  const walked = await walkDays(daysOf(scoped, page, page.nowMs), page, async (span) => {
    const eventDays = eventId === undefined ? await listEventDays(sql, span) : dayOfEvent(eventId);
    return eventDays.length === 0 ? [] : readSpan(sql, tenantId, scoped, page, span, eventDays);
  });
  const rows = walked.rows.map(({ key: _key, matches: _matches, nth: _nth, ...row }) => row);
  return { ...walked, rows };
}

/** Null for one that is not recorded, and for another tenant's. Of any tenant when `tenantId` is null. */
export async function findAttempt(
  sql: Sql,
  tenantId: string | null,
  attemptId: string,
): Promise<AttemptRow | null> {
  const day = recordDay(attemptId);
  const eventDays = await listEventDays(sql, { from: day, to: day });
  const [row] = await sql<AttemptRow[]>`
    select ${attemptColumns(sql)}, response_headers, response_body, revision from attempts
    where attempt_id = ${attemptId}::uuid and day = any(${dates(sql, eventDays)})
      ${tenantId === null ? sql`` : sql`and tenant_id = ${tenantId}`}`;
  return row ?? null;
}

/** Notes in which days' partitions the attempts of a batch lie. */
export async function recordAttemptDays(
  sql: Sql,
  rows: { readonly attemptId: readonly string[]; readonly day: readonly number[] },
): Promise<void> {
  if (rows.attemptId.length === 0) return;
  const pairs = new Map<string, readonly [number, number]>();
  rows.attemptId.forEach((attemptId, i) => {
    const pair = [recordDay(attemptId), rows.day[i]!] as const;
    pairs.set(pair.join(), pair);
  });
  await sql`
    insert into attempt_days (attempt_day, day)
    select '1970-01-01'::date + attempt_day, '1970-01-01'::date + day
    from unnest(
      ${[...pairs.values()].map(([attemptDay]) => attemptDay)}::int[], ${[...pairs.values()].map(([, day]) => day)}::int[]
    ) as given (attempt_day, day)
    order by attempt_day, day on conflict do nothing`;
}

/**
 * Notes what a recorder of the release before has left out: it knows nothing of these days. Looks into the partitions of
 * each day, by the ids that an attempt of each later day would have; gives back how many were missing.
 */
export async function noteMissedAttemptDays(sql: Sql, { from, to }: DaySpan): Promise<number> {
  const days = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const noted = await sql`
    with days as (
      select '1970-01-01'::date + day as day, first_id, end_id
      from unnest(
        ${days}::int[], ${days.map((day) => firstIdOf(day * DAY_MS))}::uuid[],
        ${days.map((day) => firstIdOf((day + 1) * DAY_MS))}::uuid[]
      ) as days (day, first_id, end_id)
    )
    insert into attempt_days (attempt_day, day)
    select attempted.day, accepted.day
    from days accepted join days attempted on attempted.day >= accepted.day
    -- The limit keeps it to one look into an index for each pair of days.
    cross join lateral (
      select 1 from attempts
      where attempts.day = accepted.day and attempt_id >= attempted.first_id and attempt_id < attempted.end_id
      order by attempt_id limit 1
    ) made
    where not exists (
      select 1 from attempt_days known where known.attempt_day = attempted.day and known.day = accepted.day
    )
    on conflict do nothing`;
  return noted.count;
}

/** Removes the days of attempts that are kept nowhere any more; gives back how many. */
export async function removeOldAttemptDays(sql: Sql, oldestDay: number): Promise<number> {
  const removed = await sql`delete from attempt_days where day < '1970-01-01'::date + ${oldestDay}::int`;
  return removed.count;
}

/** Asked for by itself, so that plans are made for these days' partitions alone. */
async function listEventDays(sql: Sql, { from, to }: DaySpan): Promise<number[]> {
  const rows = await sql<{ day: number }[]>`
    select distinct day - '1970-01-01'::date as day from attempt_days
    where attempt_day between '1970-01-01'::date + ${from}::int and '1970-01-01'::date + ${to}::int`;
  return rows.map((row) => row.day);
}

/** A parameter as it is, with no cast: partitions are chosen by it when the plan is made. */
const dates = (sql: Sql, days: readonly number[]) =>
  sql`${days.map((day) => new Date(day * DAY_MS).toISOString().slice(0, 10))}::date[]`;

/** An id may name a day beyond the four-digit years that a date's text has: nothing is recorded there. */
const dayOfEvent = (eventId: string): number[] => [recordDay(eventId)].filter((day) => day < YEAR_10_000);
const YEAR_10_000 = Date.UTC(10_000, 0, 1) / DAY_MS;

async function readSpan(
  sql: Sql,
  tenantId: string | null,
  filter: AttemptFilter,
  { direction }: WalkRequest,
  span: SpanQuery,
  eventDays: readonly number[],
): Promise<SearchedAttempt[]> {
  const order = direction === 'older' ? sql`attempt_id desc` : sql`attempt_id asc`;
  return sql<SearchedAttempt[]>`
    select * from (
      select ${attemptColumns(sql)}, attempt_id as key, (${matches(sql, filter)}) is true as matches,
             row_number() over (order by ${order})::int as nth
      from attempts
      where day = any(${dates(sql, eventDays)})
        ${tenantId === null ? sql`` : sql`and tenant_id = ${tenantId}`}
        ${onIndex(sql, filter)} ${between(sql, filter, span)} ${beside(sql, direction, span.after)}
      order by ${order} limit ${span.scan}
    ) looked_at
    where matches or nth = ${span.scan}
    order by ${order} limit ${span.rows}`;
}

/** What an index answers. */
function onIndex(sql: Sql, filter: AttemptFilter) {
  const { eventId, endpointIds } = filter;
  if (eventId !== undefined) return sql`and event_id = ${eventId}::uuid`;
  if (endpointIds?.length === 1)
    return sql`and right(endpoint_id, 12) = ${endpointIds[0]!.slice(-12)} and endpoint_id = ${endpointIds[0]!}`;
  return hasFailed(filter) ? sql`and failure is not null` : sql``;
}

const hasFailed = ({ state, statusClass, failure }: AttemptFilter): boolean =>
  failure !== undefined ||
  state === 'processing' ||
  state === 'failed' ||
  (statusClass !== undefined && statusClass !== '2xx');

/** The days of the span, narrowed by the filter's times. Of one event all days at once. */
function between(sql: Sql, filter: AttemptFilter, span: SpanQuery) {
  const ofSpan = filter.eventId === undefined;
  const min = Math.max(filter.minCreatedAtMs ?? 0, ofSpan ? span.from * DAY_MS : 0);
  const max = Math.min(filter.maxCreatedAtMs ?? LAST_MS, ofSpan ? (span.to + 1) * DAY_MS - 1 : LAST_MS);
  return sql`and attempt_id >= ${firstIdOf(min)}::uuid and attempt_id < ${firstIdOf(max + 1)}::uuid`;
}

const LAST_MS = 2 ** 48 - 2;

function beside(sql: Sql, direction: WalkRequest['direction'], after: string | null) {
  if (after === null) return sql``;
  return direction === 'older' ? sql`and attempt_id < ${after}::uuid` : sql`and attempt_id > ${after}::uuid`;
}

const matches = (sql: Sql, filter: AttemptFilter) => sql`
  true
  ${filter.endpointIds === undefined ? sql`` : sql`and endpoint_id = any(${[...filter.endpointIds]}::text[])`}
  ${filter.deliveryId === undefined ? sql`` : sql`and delivery_id = ${filter.deliveryId}`}
  ${filter.eventType === undefined ? sql`` : sql`and event_type = ${filter.eventType}`}
  ${filter.state === undefined ? sql`` : sql`and state = ${filter.state}`}
  ${filter.statusClass === undefined ? sql`` : sql`and ${inClass(sql, sql`status`, filter.statusClass)}`}
  ${filter.failure === undefined ? sql`` : sql`and failure = ${filter.failure}`}`;
