import { acceptedAtMs, type DeliveryState } from '@posthorn/contracts';
import type { Sql } from './database.ts';
import { type DeliveryRow, deliveryColumns } from './deliveries.ts';
import { keptDays } from './partitions.ts';
import { DAY_MS, eventIdOf, firstIdOf, recordDay } from './record-day.ts';
import {
  type DaySpan,
  MAX_ENDPOINTS_WALKED,
  MAX_ROWS_SCANNED,
  MAX_ROWS_SCANNED_OF_ALL,
  type SpanQuery,
  type SpanRow,
  type WalkedPage,
  type WalkRequest,
  walkDays,
  walkEach,
} from './walk-record.ts';

/** `none`: there was no answer. */
export type StatusClass = '1xx' | '2xx' | '3xx' | '4xx' | '5xx' | 'none';

/** Times are those of the events; both ends are included. */
export interface TimeRange {
  readonly minCreatedAtMs?: number | undefined;
  readonly maxCreatedAtMs?: number | undefined;
}

export interface DeliveryFilter extends TimeRange {
  /** Any of these. */
  readonly endpointIds?: readonly string[] | undefined;
  readonly eventId?: string | undefined;
  readonly eventType?: string | undefined;
  readonly state?: DeliveryState | undefined;
  /** Of the last attempt, as the failure class. */
  readonly statusClass?: StatusClass | undefined;
  readonly failure?: string | undefined;
}

/** Newest first; of all tenants when `tenantId` is null. The key of a page is a delivery's id. */
export async function searchDeliveries(
  sql: Sql,
  tenantId: string | null,
  filter: DeliveryFilter,
  page: WalkRequest & { readonly nowMs: number },
): Promise<WalkedPage<DeliveryRow>> {
  if (isOfFew(filter))
    return walkEach(
      filter.endpointIds,
      page,
      (row) => row.deliveryId,
      (endpointId) => searchDeliveries(sql, tenantId, { ...filter, endpointIds: [endpointId] }, page),
    );
  const days = daysOf(filter, page, page.nowMs);
  const ofAll = tenantId === null && filter.eventId === undefined && filter.endpointIds?.length !== 1;
  const walked = await walkDays(
    days,
    page,
    (span) => readSpan(sql, tenantId, filter, page, span),
    ofAll ? MAX_ROWS_SCANNED_OF_ALL : MAX_ROWS_SCANNED,
  );
  const rows = walked.rows.map(({ key: _key, matches: _matches, nth: _nth, ...row }) => row);
  return { ...walked, rows };
}

/** Of some endpoints, but so few that each has its own walk. */
export const isOfFew = <Filter extends { readonly endpointIds?: readonly string[] | undefined }>(
  filter: Filter & { readonly eventId?: string | undefined },
): filter is Filter & { readonly endpointIds: readonly string[] } =>
  filter.eventId === undefined &&
  filter.endpointIds !== undefined &&
  filter.endpointIds.length > 1 &&
  filter.endpointIds.length <= MAX_ENDPOINTS_WALKED;

/** The days of a list's events that a page can be about. */
export function daysOf(
  filter: TimeRange & { readonly eventId?: string | undefined },
  { after, direction }: WalkRequest,
  nowMs: number,
): DaySpan {
  if (filter.eventId !== undefined) return { from: recordDay(filter.eventId), to: recordDay(filter.eventId) };
  const kept = keptDays(nowMs);
  const min = filter.minCreatedAtMs ?? 0;
  const max = filter.maxCreatedAtMs ?? Number.MAX_SAFE_INTEGER;
  const reached = after === null ? null : acceptedAtMs(after);
  const from = Math.max(min, direction === 'newer' ? (reached ?? 0) : 0);
  const to = Math.min(max, direction === 'older' ? (reached ?? max) : max);
  return { from: Math.max(kept.from, dayNumber(from)), to: Math.min(kept.to, dayNumber(to)) };
}

export const dayNumber = (atMs: number): number => Math.floor(atMs / DAY_MS);

type SearchedDelivery = DeliveryRow & SpanRow;

async function readSpan(
  sql: Sql,
  tenantId: string | null,
  filter: DeliveryFilter,
  { direction }: WalkRequest,
  span: SpanQuery,
): Promise<SearchedDelivery[]> {
  // Of all, and of one event, in the order of the primary key, which is the same.
  const isNarrowed = tenantId !== null || filter.endpointIds?.length === 1;
  const byEvent = isNarrowed && filter.eventId === undefined;
  const way = direction === 'older' ? sql`desc` : sql`asc`;
  const order = byEvent ? sql`event_id ${way}, delivery_id ${way}` : sql`delivery_id ${way}`;
  const rows = await sql<Omit<SearchedDelivery, 'createdAt'>[]>`
    select * from (
      select ${deliveryColumns(sql)}, delivery_id as key, (${matches(sql, filter)}) is true as matches,
             row_number() over (order by ${order})::int as nth
      from deliveries
      where day between '1970-01-01'::date + ${span.from}::int and '1970-01-01'::date + ${span.to}::int
        ${tenantId === null ? sql`` : sql`and tenant_id = ${tenantId}`}
        ${onIndex(sql, filter)} ${between(sql, filter)} ${beside(sql, direction, span.after)}
      order by ${order} limit ${span.scan}
    ) looked_at
    where matches or nth = ${span.scan}
    order by ${order} limit ${span.rows}`;
  return rows.map((row) => ({ ...row, createdAt: new Date(acceptedAtMs(row.deliveryId)) }));
}

/** What an index answers. */
function onIndex(sql: Sql, filter: DeliveryFilter) {
  const { eventId, endpointIds } = filter;
  if (eventId !== undefined)
    return sql`and delivery_id >= ${`${eventId}_`} and delivery_id < ${`${eventId}\``}`;
  if (endpointIds?.length === 1)
    return sql`and right(endpoint_id, 12) = ${endpointIds[0]!.slice(-12)} and endpoint_id = ${endpointIds[0]!}`;
  return hasFailed(filter) ? sql`and last_failure is not null` : sql``;
}

/** Whether only deliveries whose last attempt failed can fit. */
const hasFailed = ({ state, statusClass, failure }: DeliveryFilter): boolean =>
  failure !== undefined ||
  state === 'processing' ||
  state === 'failed' ||
  (statusClass !== undefined && statusClass !== '2xx');

export function between(sql: Sql, { minCreatedAtMs, maxCreatedAtMs }: TimeRange) {
  return sql`
    ${minCreatedAtMs === undefined ? sql`` : sql`and event_id >= ${firstIdOf(minCreatedAtMs)}::uuid`}
    ${maxCreatedAtMs === undefined ? sql`` : sql`and event_id < ${firstIdOf(maxCreatedAtMs + 1)}::uuid`}`;
}

function beside(sql: Sql, direction: WalkRequest['direction'], after: string | null) {
  if (after === null) return sql``;
  return direction === 'older'
    ? sql`and delivery_id < ${after} and event_id <= ${eventIdOf(after)}::uuid`
    : sql`and delivery_id > ${after} and event_id >= ${eventIdOf(after)}::uuid`;
}

const matches = (sql: Sql, filter: DeliveryFilter) => sql`
  true
  ${filter.endpointIds === undefined ? sql`` : sql`and endpoint_id = any(${[...filter.endpointIds]}::text[])`}
  ${filter.eventType === undefined ? sql`` : sql`and event_type = ${filter.eventType}`}
  ${filter.state === undefined ? sql`` : sql`and ${inState(sql, filter.state)}`}
  ${filter.statusClass === undefined ? sql`` : sql`and ${inClass(sql, sql`last_status`, filter.statusClass)}`}
  ${filter.statusClass === 'none' ? sql`and last_failure is not null` : sql``}
  ${filter.failure === undefined ? sql`` : sql`and last_failure = ${filter.failure}`}`;

/** Nothing is written when a scheduled delivery becomes due. */
export function inState(sql: Sql, state: DeliveryState) {
  switch (state) {
    case 'scheduled':
      return sql`state = 'scheduled' and next_due_at > now()`;
    case 'pending':
      return sql`(state = 'pending' or (state = 'scheduled' and next_due_at <= now()))`;
    default:
      return sql`state = ${state}`;
  }
}

export function inClass(sql: Sql, status: ReturnType<Sql>, statusClass: StatusClass) {
  if (statusClass === 'none') return sql`${status} is null`;
  const hundreds = Number(statusClass[0]) * 100;
  return sql`${status} between ${hundreds} and ${hundreds + 99}`;
}
