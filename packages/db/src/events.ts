import { OPERATOR_TENANT_ID } from '@posthorn/contracts';
import type { Sql } from './database.ts';
import { type NewRows, NO_NEW_ROWS, newRows } from './new-rows.ts';
import { recordDay } from './record-day.ts';

/** A batch of events by column: `[i]` of each is one event. */
export interface EventColumns {
  readonly tenantId: string[];
  readonly eventId: string[];
  readonly type: string[];
  /** JSON text of an object. */
  readonly labels: string[];
  readonly contentType: string[];
  readonly payload: Uint8Array[];
  readonly occurredAtMs: number[];
  readonly acceptedAtMs: number[];
  readonly revision: number[];
  readonly retentionDays: number[];
  /** The sender's own ids; null for an event without one. */
  readonly clientEventId: (string | null)[];
  /** Days since 1970-01-01, from the event's id. */
  readonly day: number[];
}

export interface EventRow {
  readonly eventId: string;
  readonly type: string;
  readonly labels: Record<string, string>;
  readonly contentType: string;
  readonly occurredAt: Date;
  readonly acceptedAt: Date;
  readonly revision: number;
  readonly retentionDays: number;
  readonly clientEventId: string | null;
  /** Since when its payload is gone by request. */
  readonly payloadExpungedAt: Date | null;
}

export interface EventPayload extends EventRow {
  readonly tenantId: string;
  readonly payload: Buffer;
}

/** Inserts what is not there yet; gives back which those were. */
export async function recordEvents(sql: Sql, rows: EventColumns): Promise<NewRows> {
  const given = rows.eventId.length;
  if (given === 0) return NO_NEW_ROWS;
  // One bytea that the statement cuts up: quoting each payload as an array element costs several times the CPU.
  const lengths = rows.payload.map((payload) => payload.length);
  const starts: number[] = [];
  let total = 0;
  for (const length of lengths) {
    starts.push(total + 1);
    total += length;
  }
  const [added] = await sql<{ count: number; ids: string | null }[]>`
    with added as (
    insert into events (tenant_id, event_id, type, labels, content_type, payload, occurred_at, accepted_at,
                        revision, retention_days, client_event_id, day)
    select tenant_id, event_id, type, labels::jsonb, content_type,
           substring(${Buffer.concat(rows.payload, total)}::bytea from start for length),
           to_timestamp(occurred_at_ms::float8 / 1000),
           to_timestamp(accepted_at_ms::float8 / 1000), revision, retention_days, client_event_id,
           '1970-01-01'::date + day
    from unnest(
      ${rows.tenantId}::text[], ${rows.eventId}::uuid[], ${rows.type}::text[], ${rows.labels}::text[],
      ${rows.contentType}::text[], ${starts}::int[], ${lengths}::int[], ${rows.occurredAtMs}::bigint[],
      ${rows.acceptedAtMs}::bigint[], ${rows.revision}::bigint[], ${rows.retentionDays}::smallint[],
      ${rows.clientEventId}::text[], ${rows.day}::int[]
    ) as given (tenant_id, event_id, type, labels, content_type, start, length, occurred_at_ms, accepted_at_ms,
                revision, retention_days, client_event_id, day)
    on conflict do nothing
    returning event_id
    )
    select count(*)::int as count, case when count(*) < ${given} then string_agg(event_id::text, ',') end as ids
    from added`;
  return newRows(given, added!);
}

/** The event without its bytes. Null for one that is not recorded, and for another tenant's. */
export async function findEvent(sql: Sql, tenantId: string, eventId: string): Promise<EventRow | null> {
  const [row] = await sql<EventRow[]>`
    select event_id, type, labels, content_type, occurred_at, accepted_at, revision, retention_days,
           client_event_id, payload_expunged_at
    from events
    where event_id = ${eventId}::uuid and day = '1970-01-01'::date + ${recordDay(eventId)}::int and tenant_id = ${tenantId}`;
  return row ?? null;
}

/**
 * The event with its bytes: what a replay starts from. Null for one whose bytes were expunged. For the operator's own
 * tenant any tenant's is found.
 */
export async function findEventPayload(
  sql: Sql,
  tenantId: string,
  eventId: string,
): Promise<EventPayload | null> {
  const event = await findWholeEvent(sql, tenantId, eventId);
  return event?.payloadExpungedAt === null ? event : null;
}

/** The event with its bytes, or with none where they were expunged. */
export async function findWholeEvent(
  sql: Sql,
  tenantId: string,
  eventId: string,
): Promise<EventPayload | null> {
  const [row] = await sql<EventPayload[]>`
    select tenant_id, event_id, type, labels, content_type, payload, occurred_at, accepted_at, revision,
           retention_days, client_event_id, payload_expunged_at
    from events
    where event_id = ${eventId}::uuid and day = '1970-01-01'::date + ${recordDay(eventId)}::int
      and ${ownedBy(sql, tenantId)}`;
  return row ?? null;
}

/** Its system endpoints get events of all tenants. */
export const ownedBy = (sql: Sql, tenantId: string) =>
  tenantId === OPERATOR_TENANT_ID ? sql`true` : sql`tenant_id = ${tenantId}`;

/** Those of a tenant's events that are recorded, with their bytes, by id; for the operator's own any tenant's. */
export async function findEventPayloads(
  sql: Sql,
  tenantId: string,
  eventIds: readonly string[],
): Promise<Map<string, EventPayload>> {
  const rows = await sql<EventPayload[]>`
    select tenant_id, event_id, type, labels, content_type, payload, occurred_at, accepted_at, revision,
           retention_days, client_event_id, payload_expunged_at
    from events
    where event_id = any(${[...eventIds]}::uuid[]) and ${ownedBy(sql, tenantId)} and payload_expunged_at is null
      and day in (select '1970-01-01'::date + n from unnest(${[...new Set(eventIds.map(recordDay))]}::int[]) n)`;
  return new Map(rows.map((row) => [row.eventId, row]));
}

/** Of an event without its bytes, and whose it is. */
export const eventColumns = (sql: Sql) => sql`
  event_id, tenant_id, type, labels, content_type, occurred_at, accepted_at, revision, retention_days,
  client_event_id, payload_expunged_at`;
