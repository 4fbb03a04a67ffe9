import { acceptedAtMs, type DeliveryState } from '@posthorn/contracts';
import type { Sql } from './database.ts';
import { type NewRows, NO_NEW_ROWS, newRows } from './new-rows.ts';
import { recordDay } from './record-day.ts';

/** A batch of deliveries by column, each delivery once: the greatest standing that is known of it. */
export interface DeliveryColumns {
  readonly tenantId: string[];
  readonly deliveryId: string[];
  readonly eventId: string[];
  readonly endpointId: string[];
  readonly eventType: string[];
  readonly run: number[];
  readonly state: DeliveryState[];
  readonly round: number[];
  readonly attempt: number[];
  /** `standingOrder` of state, round and attempt. */
  readonly standing: number[];
  readonly nextDueAtMs: (number | null)[];
  readonly lastFailure: (string | null)[];
  readonly lastStatus: (number | null)[];
  readonly lastError: (string | null)[];
  readonly updatedAtMs: number[];
  readonly retentionDays: number[];
  /** Days since 1970-01-01, from the event's id. */
  readonly day: number[];
}

export interface DeliveryRow {
  readonly deliveryId: string;
  readonly tenantId: string;
  readonly eventId: string;
  readonly endpointId: string;
  readonly eventType: string;
  readonly run: number;
  readonly round: number;
  /** Of the last attempt, from 1 within its round; 0 when none was made. */
  readonly attempt: number;
  readonly state: DeliveryState;
  readonly nextDueAt: Date | null;
  readonly lastFailure: string | null;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  /** When its event was accepted. */
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface StandingRow {
  readonly endpointId: string;
  readonly deliveryId: string;
  readonly run: number;
  readonly round: number;
  readonly state: DeliveryState;
}

export interface WrittenDeliveries {
  /** Those whose dead letter, if they have one, may be out of date: see `removeDeadLetters`. */
  readonly stale: readonly string[];
  readonly added: NewRows;
}

/**
 * Inserts each delivery or raises the row to the greater standing; of equal standings the later one stays, and of
 * equally late ones the greater outcome, so that the rows do not depend on the order of arrival.
 */
export async function recordDeliveries(sql: Sql, rows: DeliveryColumns): Promise<WrittenDeliveries> {
  const given = rows.deliveryId.length;
  if (given === 0) return { stale: [], added: NO_NEW_ROWS };
  const [written] = await sql<{ stale: string | null; count: number; ids: string | null }[]>`
    with given as (
      select * from unnest(
        ${rows.tenantId}::text[], ${rows.deliveryId}::text[], ${rows.eventId}::uuid[],
        ${rows.endpointId}::text[], ${rows.eventType}::text[], ${rows.run}::int[], ${rows.state}::text[],
        ${rows.round}::int[], ${rows.attempt}::int[], ${rows.standing}::bigint[],
        ${rows.nextDueAtMs}::bigint[], ${rows.lastFailure}::text[], ${rows.lastStatus}::int[],
        ${rows.lastError}::text[], ${rows.updatedAtMs}::bigint[], ${rows.retentionDays}::smallint[],
        ${rows.day}::int[]
      ) as given (tenant_id, delivery_id, event_id, endpoint_id, event_type, run, state, round, attempt,
                  standing, next_due_at_ms, last_failure, last_status, last_error, updated_at_ms,
                  retention_days, day)
    ), written as (
      insert into deliveries as d (tenant_id, delivery_id, event_id, endpoint_id, event_type, run, state, round,
                                   attempt, standing, next_due_at, last_failure, last_status, last_error,
                                   updated_at, retention_days, day)
      select tenant_id, delivery_id, event_id, endpoint_id, event_type, run, state, round, attempt, standing,
             to_timestamp(next_due_at_ms::float8 / 1000), last_failure, last_status, last_error,
             to_timestamp(updated_at_ms::float8 / 1000), retention_days, '1970-01-01'::date + day
      from given
      -- One order of locks for all recorders.
      order by delivery_id
      on conflict (delivery_id, day, retention_days) do update set
        state = excluded.state, round = excluded.round, attempt = excluded.attempt,
        standing = excluded.standing, next_due_at = excluded.next_due_at,
        last_failure = excluded.last_failure, last_status = excluded.last_status,
        last_error = excluded.last_error, updated_at = excluded.updated_at, rewrites = d.rewrites + 1
      where (excluded.standing, excluded.updated_at, coalesce(excluded.last_status, 0),
             coalesce(excluded.last_failure, ''), coalesce(excluded.last_error, '') collate "C")
          > (d.standing, d.updated_at, coalesce(d.last_status, 0),
             coalesce(d.last_failure, ''), coalesce(d.last_error, '') collate "C")
      returning d.delivery_id, d.round, d.state, d.rewrites
    )
    select count(*) filter (where rewrites = 0)::int as count,
           -- Text is read faster than rows or arrays.
           case when count(*) filter (where rewrites = 0) < ${given}
                then string_agg(delivery_id, ',') filter (where rewrites = 0) end as ids,
           string_agg(delivery_id, ',')
             filter (where rewrites > 0 and (round > 0 or state in ('success', 'cancelled'))) as stale
    from written`;
  return { stale: written!.stale?.split(',') ?? [], added: newRows(given, written!) };
}

/** Null for one that is not recorded, and for another tenant's. */
export async function findDelivery(
  sql: Sql,
  tenantId: string,
  deliveryId: string,
): Promise<DeliveryRow | null> {
  const [row] = await sql<Omit<DeliveryRow, 'createdAt'>[]>`
    select ${deliveryColumns(sql)} from deliveries
    where delivery_id = ${deliveryId} and day = '1970-01-01'::date + ${recordDay(deliveryId)}::int and tenant_id = ${tenantId}`;
  return row ? withCreation(row) : null;
}

/** An event's deliveries in the order of their ids, after `afterId`. */
export async function listDeliveriesOfEvent(
  sql: Sql,
  tenantId: string,
  eventId: string,
  page: { readonly limit: number; readonly afterId?: string } = { limit: MAX_DELIVERIES_LISTED },
): Promise<DeliveryRow[]> {
  const rows = await sql<Omit<DeliveryRow, 'createdAt'>[]>`
    select ${deliveryColumns(sql)} from deliveries
    where ${ofEvent(sql, eventId)} and delivery_id > ${page.afterId ?? ''} and tenant_id = ${tenantId}
    order by delivery_id limit ${page.limit}`;
  return rows.map(withCreation);
}

export const MAX_DELIVERIES_LISTED = 1_000;

/** The latest run of an event for each of these endpoints (all of them when none is named). */
export async function findStandings(
  sql: Sql,
  tenantId: string,
  eventId: string,
  endpointIds: readonly string[] = [],
): Promise<StandingRow[]> {
  return sql<StandingRow[]>`
    select distinct on (endpoint_id) endpoint_id, delivery_id, run, round, state
    from deliveries
    where ${ofEvent(sql, eventId)} and tenant_id = ${tenantId}
      and (${endpointIds.length} = 0 or endpoint_id = any(${[...endpointIds]}::text[]))
    order by endpoint_id, run desc`;
}

/** A delivery's id starts with its event's and "_": the rows of an event are one range of the primary key. */
const ofEvent = (sql: Sql, eventId: string) => sql`
  delivery_id >= ${`${eventId}_`} and delivery_id < ${`${eventId}\``} and day = '1970-01-01'::date + ${recordDay(eventId)}::int`;

/** Nothing is written when a scheduled delivery becomes due: it is pending from then on. */
export const deliveryColumns = (sql: Sql) => sql`
  delivery_id, tenant_id, event_id, endpoint_id, event_type, run, round, attempt,
  case when state = 'scheduled' and next_due_at <= now() then 'pending' else state end as state, next_due_at,
  last_failure, last_status, last_error, updated_at`;

const withCreation = (row: Omit<DeliveryRow, 'createdAt'>): DeliveryRow => ({
  ...row,
  createdAt: new Date(acceptedAtMs(row.deliveryId)),
});
