import type { DeliveryState } from '@posthorn/contracts';
import type { Sql } from './database.ts';
import type { EventRow } from './events.ts';
import { between, daysOf, inState, type TimeRange } from './search-deliveries.ts';
import { type SpanQuery, type SpanRow, type WalkedPage, type WalkRequest, walkDays } from './walk-record.ts';

export interface EventFilter extends TimeRange {
  readonly eventType?: string | undefined;
  /** All of them. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly clientEventId?: string | undefined;
  /** Events that have a delivery in this state. */
  readonly state?: DeliveryState | undefined;
  /** Events that have a delivery to any of these. */
  readonly endpointIds?: readonly string[] | undefined;
}

export interface FoundEvent extends EventRow {
  readonly tenantId: string;
}

type SearchedEvent = FoundEvent & SpanRow;

/** Each event costs a look at its deliveries. */
const MAX_EVENTS_SCANNED_FOR_STATE = 1_500;
const MAX_EVENTS_SCANNED = 4_000;

/** Newest first, without payloads; of all tenants when `tenantId` is null. The key of a page is an event's id. */
export async function searchEvents(
  sql: Sql,
  tenantId: string | null,
  filter: EventFilter,
  page: WalkRequest & { readonly nowMs: number },
): Promise<WalkedPage<FoundEvent>> {
  const looksAtDeliveries = filter.state !== undefined || filter.endpointIds !== undefined;
  const walked = await walkDays(
    daysOf(filter, page, page.nowMs),
    page,
    (span) => readSpan(sql, tenantId, filter, page, span),
    looksAtDeliveries ? MAX_EVENTS_SCANNED_FOR_STATE : MAX_EVENTS_SCANNED,
  );
  const rows = walked.rows.map(({ key: _key, matches: _matches, nth: _nth, ...row }) => row);
  return { ...walked, rows };
}

async function readSpan(
  sql: Sql,
  tenantId: string | null,
  filter: EventFilter,
  { direction }: WalkRequest,
  span: SpanQuery,
): Promise<SearchedEvent[]> {
  const order = direction === 'older' ? sql`event_id desc` : sql`event_id asc`;
  return sql<SearchedEvent[]>`
    select * from (
      select ${columns(sql)}, event_id as key, (${matches(sql, filter)}) is true as matches,
             row_number() over (order by ${order})::int as nth
      from events e
      where day between '1970-01-01'::date + ${span.from}::int and '1970-01-01'::date + ${span.to}::int
        ${tenantId === null ? sql`` : sql`and tenant_id = ${tenantId}`}
        ${filter.clientEventId === undefined ? sql`` : sql`and client_event_id = ${filter.clientEventId}`}
        ${between(sql, filter)} ${beside(sql, direction, span.after)}
      order by ${order} limit ${span.scan}
    ) looked_at
    where matches or nth = ${span.scan}
    order by ${order} limit ${span.rows}`;
}

const columns = (sql: Sql) => sql`
  event_id, tenant_id, type, labels, content_type, occurred_at, accepted_at, revision, retention_days,
  client_event_id, payload_expunged_at`;

function beside(sql: Sql, direction: WalkRequest['direction'], after: string | null) {
  if (after === null) return sql``;
  return direction === 'older' ? sql`and event_id < ${after}::uuid` : sql`and event_id > ${after}::uuid`;
}

const matches = (sql: Sql, filter: EventFilter) => sql`
  true
  ${filter.eventType === undefined ? sql`` : sql`and type = ${filter.eventType}`}
  ${filter.labels === undefined ? sql`` : sql`and labels @> ${sql.json(filter.labels)}`}
  ${filter.state === undefined && filter.endpointIds === undefined ? sql`` : sql`and ${hasDelivery(sql, filter)}`}`;

const hasDelivery = (sql: Sql, { state, endpointIds }: EventFilter) => sql`exists (
    select 1 from deliveries d
    where d.delivery_id >= e.event_id::text || '_' and d.delivery_id < e.event_id::text || '\`'
      and d.day = e.day and d.retention_days = e.retention_days
      ${state === undefined ? sql`` : sql`and ${inState(sql, state)}`}
      ${endpointIds === undefined ? sql`` : sql`and endpoint_id = any(${[...endpointIds]}::text[])`}
    -- Looked up one by one: no plan may read a day's deliveries for a page.
    offset 0
  )`;
