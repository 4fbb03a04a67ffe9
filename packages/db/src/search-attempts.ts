import { dates, listEventDays } from './attempt-days.ts';
import { type AttemptRow, type AttemptSummary, attemptColumns } from './attempts.ts';
import type { Sql } from './database.ts';
import {
  atEndpoint,
  daysOf,
  hasFailed,
  inClass,
  isOfFew,
  type StatusClass,
  type TimeRange,
  withoutMarks,
} from './narrow-search.ts';
import { DAY_MS, eventIdOf, firstIdOf, recordDay } from './record-day.ts';

import {
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
  return withoutMarks(walked);
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
      from attempts_in_scope
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
  if (endpointIds?.length === 1) return atEndpoint(sql, endpointIds[0]!);
  return hasFailed(filter) ? sql`and failure is not null` : sql``;
}

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
