import { acceptedAtMs, type DeliveryState } from '@posthorn/contracts';
import type { Sql } from './database.ts';
import { type DeliveryRow, deliveryColumns } from './deliveries.ts';
import {
  atEndpoint,
  between,
  daysOf,
  hasFailed,
  inClass,
  isOfFew,
  type StatusClass,
  type TimeRange,
  withoutMarks,
} from './narrow-search.ts';
import { eventIdOf } from './record-day.ts';
import {
  type SpanQuery,
  type SpanRow,
  type WalkedPage,
  type WalkRequest,
  walkDays,
  walkEach,
} from './walk-record.ts';

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
  const walked = await walkDays(days, page, (span) => readSpan(sql, tenantId, filter, page, span));
  return withoutMarks(walked);
}

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
      from deliveries_in_scope
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
  if (endpointIds?.length === 1) return atEndpoint(sql, endpointIds[0]!);
  return hasFailed(filter) ? sql`and last_failure is not null` : sql``;
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
