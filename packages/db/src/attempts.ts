import type { Sql } from './database.ts';
import { type NewRows, NO_NEW_ROWS, newRows } from './new-rows.ts';
import { eventIdOf, recordDay } from './record-day.ts';

/** A batch of attempts by column. */
export interface AttemptColumns {
  readonly attemptId: string[];
  readonly deliveryId: string[];
  readonly tenantId: string[];
  readonly endpointId: string[];
  readonly eventId: string[];
  readonly eventType: string[];
  readonly run: number[];
  readonly round: number[];
  readonly attempt: number[];
  /** Where the attempt left the delivery. */
  readonly state: ('success' | 'processing' | 'failed')[];
  readonly startedAtMs: number[];
  readonly durationMs: number[];
  readonly status: (number | null)[];
  readonly failure: (string | null)[];
  readonly error: (string | null)[];
  /** Base64. */
  readonly responseBody: (string | null)[];
  readonly traceId: string[];
  /** JSON text of an object: name to value or values. */
  readonly responseHeaders: (string | null)[];
  /** The phases in milliseconds, null where the request did not pass through. */
  readonly dnsMs: (number | null)[];
  readonly connectMs: (number | null)[];
  readonly tlsMs: (number | null)[];
  readonly firstByteMs: (number | null)[];
  /** Of the tenant's configuration that the request was made from. */
  readonly revision: (number | null)[];
  readonly retentionDays: number[];
  /** Days since 1970-01-01, from the event's id. */
  readonly day: number[];
}

/** Milliseconds of the phases of a request; null where it did not pass through, and where nobody said. */
export interface AttemptPhases {
  readonly dnsMs: number | null;
  readonly connectMs: number | null;
  readonly tlsMs: number | null;
  readonly firstByteMs: number | null;
}

export interface AttemptRow extends AttemptPhases {
  readonly attemptId: string;
  readonly deliveryId: string;
  readonly tenantId: string;
  readonly endpointId: string;
  readonly eventId: string;
  /** Null where the release that recorded it did not keep it. */
  readonly eventType: string | null;
  readonly run: number;
  readonly round: number;
  readonly attempt: number;
  readonly state: 'success' | 'processing' | 'failed';
  readonly startedAt: Date;
  readonly durationMs: number;
  readonly status: number | null;
  readonly failure: string | null;
  readonly error: string | null;
  /** Those that were kept; null where none were. */
  readonly responseHeaders: Record<string, string | string[]> | null;
  readonly responseBody: Buffer | null;
  readonly traceId: string;
  readonly revision: number | null;
}

/** An attempt without what its receiver answered. */
export type AttemptSummary = Omit<AttemptRow, 'responseHeaders' | 'responseBody' | 'revision'>;

/** Inserts what is not there yet; gives back which those were. */
export async function recordAttempts(sql: Sql, rows: AttemptColumns): Promise<NewRows> {
  const given = rows.attemptId.length;
  if (given === 0) return NO_NEW_ROWS;
  const [added] = await sql<{ count: number; ids: string | null }[]>`
    with added as (
    insert into attempts (attempt_id, delivery_id, tenant_id, endpoint_id, event_id, event_type, run, round, attempt,
                          state, started_at, duration_ms, status, failure, error, response_body, trace_id,
                          response_headers, dns_ms, connect_ms, tls_ms, first_byte_ms, revision,
                          retention_days, day)
    select attempt_id, delivery_id, tenant_id, endpoint_id, event_id, event_type, run, round, attempt, state,
           to_timestamp(started_at_ms::float8 / 1000), duration_ms, status, failure, error,
           decode(response_body, 'base64'), trace_id,
           response_headers::json, dns_ms, connect_ms, tls_ms, first_byte_ms, revision,
           retention_days, '1970-01-01'::date + day
    from unnest(
      ${rows.attemptId}::uuid[], ${rows.deliveryId}::text[], ${rows.tenantId}::text[],
      ${rows.endpointId}::text[], ${rows.eventId}::uuid[], ${rows.eventType}::text[], ${rows.run}::int[], ${rows.round}::int[],
      ${rows.attempt}::int[], ${rows.state}::text[], ${rows.startedAtMs}::bigint[], ${rows.durationMs}::int[],
      ${rows.status}::int[], ${rows.failure}::text[], ${rows.error}::text[], ${rows.responseBody}::text[],
      ${rows.traceId}::text[], ${rows.responseHeaders}::text[], ${rows.dnsMs}::int[], ${rows.connectMs}::int[],
      ${rows.tlsMs}::int[], ${rows.firstByteMs}::int[], ${rows.revision}::bigint[],
      ${rows.retentionDays}::smallint[], ${rows.day}::int[]
    ) as given (attempt_id, delivery_id, tenant_id, endpoint_id, event_id, event_type, run, round, attempt, state,
                started_at_ms, duration_ms, status, failure, error, response_body, trace_id,
                response_headers, dns_ms, connect_ms, tls_ms, first_byte_ms, revision, retention_days, day)
    on conflict do nothing
    returning attempt_id
    )
    select count(*)::int as count, case when count(*) < ${given} then string_agg(attempt_id::text, ',') end as ids
    from added`;
  return newRows(given, added!);
}

/** A delivery's attempts, oldest first. */
export async function listAttempts(
  sql: Sql,
  tenantId: string,
  deliveryId: string,
  limit = MAX_ATTEMPTS_LISTED,
): Promise<AttemptRow[]> {
  return sql<AttemptRow[]>`
    select ${attemptColumns(sql)}, response_headers, response_body, revision from attempts
    where event_id = ${eventIdOf(deliveryId)}::uuid and delivery_id = ${deliveryId} and day = '1970-01-01'::date + ${recordDay(deliveryId)}::int and tenant_id = ${tenantId}
    order by round, attempt, attempt_id limit ${limit}`;
}

/** Of an `AttemptSummary`. */
export const attemptColumns = (sql: Sql) => sql`
  attempt_id, delivery_id, tenant_id, endpoint_id, event_id, event_type, run, round, attempt, state, started_at,
  duration_ms, status, failure, error, trace_id, dns_ms, connect_ms, tls_ms, first_byte_ms`;

export const MAX_ATTEMPTS_LISTED = 1_000;
