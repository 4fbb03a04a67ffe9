import type { DeliveryState } from '@posthorn/contracts';
import type { Sql } from './database.ts';
import { type EventRow, eventColumns, ownedBy } from './events.ts';
import { between, daysOf, type TimeRange, withoutMarks } from './narrow-search.ts';
import { eventIdOf, recordDay } from './record-day.ts';
import { searchDeliveries } from './search-deliveries.ts';
import { type SpanQuery, type SpanRow, type WalkedPage, type WalkRequest, walkDays } from './walk-record.ts';

export interface EventFilter extends TimeRange {
  readonly eventType?: string | undefined;
  /** All of them. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly clientEventId?: string | undefined;
  /** Events that have a delivery in this state … */
  readonly state?: DeliveryState | undefined;
  /** … to any of these. */
  readonly endpointIds?: readonly string[] | undefined;
}

export interface FoundEvent extends EventRow {
  readonly tenantId: string;
}

type Page = WalkRequest & { readonly nowMs: number };
type SearchedEvent = FoundEvent & SpanRow;

/**
 * Newest first, without payloads; of all tenants when `tenantId` is null. The key of a page is an event's id, or a
 * delivery's where it ended among the deliveries of one.
 */
export function searchEvents(
  sql: Sql,
  tenantId: string | null,
  filter: EventFilter,
  page: Page,
): Promise<WalkedPage<FoundEvent>> {
  const ofDeliveries = filter.state !== undefined || filter.endpointIds !== undefined;
  return ofDeliveries
    ? searchByDelivery(sql, tenantId, filter, page)
    : searchByEvent(sql, tenantId, filter, page);
}

async function searchByEvent(
  sql: Sql,
  tenantId: string | null,
  filter: EventFilter,
  { nowMs, ...asked }: Page,
): Promise<WalkedPage<FoundEvent>> {
  const page = { ...asked, after: asked.after && eventIdOf(asked.after) };
  const walked = await walkDays(daysOf(filter, page, nowMs), page, (span) =>
    readSpan(sql, tenantId, filter, page, span),
  );
  return withoutMarks(walked);
}

/** Deliveries that one page of events looks for, for each event of it. */
const DELIVERIES_PER_EVENT = 4;

/** Walks deliveries and takes the events that they are of: an event has its deliveries side by side. */
async function searchByDelivery(
  sql: Sql,
  tenantId: string | null,
  filter: EventFilter,
  page: Page,
): Promise<WalkedPage<FoundEvent>> {
  const { limit, direction, after, nowMs } = page;
  const walked = await searchDeliveries(sql, tenantId, filter, {
    limit: limit * DELIVERIES_PER_EVENT,
    direction,
    after: after && pastEvent(after, direction),
    nowMs,
  });
  const eventIds = [...new Set(walked.rows.map((row) => row.eventId))];
  const shown = eventIds.slice(0, limit);
  const rows = await findEvents(sql, tenantId, shown, filter);
  return { rows: inOrder(shown, rows), readTo: endOf(walked.readTo, eventIds, limit) };
}

/** Beside all deliveries of an event that was shown. */
function pastEvent(key: string, direction: WalkRequest['direction']): string {
  if (key !== eventIdOf(key)) return key;
  return direction === 'older' ? `${key}_` : `${key}\``;
}

function endOf(readTo: string | null, eventIds: readonly string[], limit: number): string | null {
  if (eventIds.length > limit) return eventIds[limit - 1]!;
  // Further deliveries of an event that is shown would show it again.
  return readTo !== null && eventIds.includes(eventIdOf(readTo)) ? eventIdOf(readTo) : readTo;
}

function inOrder(eventIds: readonly string[], rows: readonly FoundEvent[]): FoundEvent[] {
  const byId = new Map(rows.map((row) => [row.eventId, row]));
  return eventIds.flatMap((eventId) => byId.get(eventId) ?? []);
}

async function findEvents(
  sql: Sql,
  tenantId: string | null,
  eventIds: readonly string[],
  filter: EventFilter,
): Promise<FoundEvent[]> {
  if (eventIds.length === 0) return [];
  const days = eventIds.map(recordDay);
  return sql<FoundEvent[]>`
    select ${eventColumns(sql)} from events
    where event_id = any(${[...eventIds]}::uuid[])
      and day between '1970-01-01'::date + ${Math.min(...days)}::int and '1970-01-01'::date + ${Math.max(...days)}::int
      and ${tenantId === null ? sql`true` : ownedBy(sql, tenantId)} and ${matches(sql, filter)}
      ${filter.clientEventId === undefined ? sql`` : sql`and client_event_id = ${filter.clientEventId}`}`;
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
      select ${eventColumns(sql)}, event_id as key, (${matches(sql, filter)}) is true as matches,
             row_number() over (order by ${order})::int as nth
      from events
      where day between '1970-01-01'::date + ${span.from}::int and '1970-01-01'::date + ${span.to}::int
        ${tenantId === null ? sql`` : sql`and tenant_id = ${tenantId}`}
        ${filter.clientEventId === undefined ? sql`` : sql`and client_event_id = ${filter.clientEventId}`}
        ${between(sql, filter)} ${beside(sql, direction, span.after)}
      order by ${order} limit ${span.scan}
    ) looked_at
    where matches or nth = ${span.scan}
    order by ${order} limit ${span.rows}`;
}

function beside(sql: Sql, direction: WalkRequest['direction'], after: string | null) {
  if (after === null) return sql``;
  return direction === 'older' ? sql`and event_id < ${after}::uuid` : sql`and event_id > ${after}::uuid`;
}

const matches = (sql: Sql, filter: EventFilter) => sql`
  true
  ${filter.eventType === undefined ? sql`` : sql`and type = ${filter.eventType}`}
  ${filter.labels === undefined ? sql`` : sql`and labels @> ${sql.json(filter.labels)}`}`;
