import type { Sql } from './database.ts';
import { recordDay } from './record-day.ts';

/** A batch of dead letters by column, each delivery once. */
export interface DeadLetterColumns {
  readonly deliveryId: string[];
  readonly tenantId: string[];
  readonly endpointId: string[];
  readonly eventId: string[];
  readonly eventType: string[];
  readonly run: number[];
  readonly round: number[];
  /** `standingOrder` of the failure. */
  readonly standing: number[];
  readonly reason: string[];
  readonly lastFailure: string[];
  readonly lastStatus: (number | null)[];
  readonly lastError: string[];
  readonly attempts: number[];
  readonly failedAtMs: number[];
  readonly topic: string[];
  readonly partition: number[];
  readonly offset: number[];
  readonly retentionDays: number[];
  /** Days since 1970-01-01, from the event's id. */
  readonly day: number[];
}

export interface DeadLetterRow {
  readonly deliveryId: string;
  readonly tenantId: string;
  readonly endpointId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly run: number;
  readonly round: number;
  readonly reason: string;
  readonly lastFailure: string;
  readonly lastStatus: number | null;
  readonly lastError: string;
  readonly attempts: number;
  readonly failedAt: Date;
  /** The dead letter's record. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface DeadLetterFilter {
  readonly endpointId?: string | undefined;
  readonly eventType?: string | undefined;
  /** RFC 3339; `since` is included, `until` is not. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly reason?: string | undefined;
  /** Class of the last failure. */
  readonly failure?: string | undefined;
  /** Of these endpoints alone. */
  readonly endpointIds?: readonly string[] | undefined;
}

/** A dead letter that is in the index now and was not before, or not of this round. */
export interface WrittenDeadLetter {
  readonly tenantId: string;
  readonly deliveryId: string;
  /** False: it took the place of an earlier one of its delivery. */
  readonly added: boolean;
}

/**
 * Inserts dead letters of deliveries that still stand where the dead letter says, and that nobody has removed. Run it
 * after `recordDeliveries` of the same failures in the same transaction: that holds the rows' locks, so a replay that
 * comes at the same time is either seen here or removes the row.
 */
export async function recordDeadLetters(sql: Sql, rows: DeadLetterColumns): Promise<WrittenDeadLetter[]> {
  if (rows.deliveryId.length === 0) return [];
  return sql<WrittenDeadLetter[]>`
    insert into dead_letters as l (delivery_id, tenant_id, endpoint_id, event_id, event_type, run, round, standing,
                                   reason, last_failure, last_status, last_error, attempts, failed_at, topic,
                                   partition, "offset", retention_days, day)
    select g.delivery_id, g.tenant_id, g.endpoint_id, g.event_id, g.event_type, g.run, g.round, g.standing,
           g.reason, g.last_failure, g.last_status, g.last_error, g.attempts,
           to_timestamp(g.failed_at_ms::float8 / 1000), g.topic, g.partition, g.record_offset,
           g.retention_days, g.given_day
    from (
      select *, '1970-01-01'::date + day as given_day from unnest(
        ${rows.deliveryId}::text[], ${rows.tenantId}::text[], ${rows.endpointId}::text[],
        ${rows.eventId}::uuid[], ${rows.eventType}::text[], ${rows.run}::int[], ${rows.round}::int[],
        ${rows.standing}::bigint[], ${rows.reason}::text[], ${rows.lastFailure}::text[],
        ${rows.lastStatus}::int[], ${rows.lastError}::text[], ${rows.attempts}::int[],
        ${rows.failedAtMs}::bigint[], ${rows.topic}::text[], ${rows.partition}::int[],
        ${rows.offset}::bigint[], ${rows.retentionDays}::smallint[], ${rows.day}::int[]
      ) as given (delivery_id, tenant_id, endpoint_id, event_id, event_type, run, round, standing, reason,
                  last_failure, last_status, last_error, attempts, failed_at_ms, topic, partition,
                  record_offset, retention_days, day)
    ) g
    join deliveries d on d.delivery_id = g.delivery_id and d.day = g.given_day
      and d.retention_days = g.retention_days and d.standing <= g.standing
    left join dead_letter_removals r on r.delivery_id = g.delivery_id
    where r.standing is null or r.standing < g.standing
    on conflict (delivery_id, day, retention_days) do update set
      round = excluded.round, standing = excluded.standing, reason = excluded.reason,
      last_failure = excluded.last_failure, last_status = excluded.last_status,
      last_error = excluded.last_error, attempts = excluded.attempts, failed_at = excluded.failed_at,
      topic = excluded.topic, partition = excluded.partition, "offset" = excluded."offset",
      rewrites = l.rewrites + 1
    where (excluded.standing, excluded.failed_at, excluded.partition, excluded."offset")
        > (l.standing, l.failed_at, l.partition, l."offset")
    returning l.tenant_id, l.delivery_id, l.rewrites = 0 as added`;
}

/** The tenant of each dead letter that a statement has removed. */
export type RemovedDeadLetters = readonly { readonly tenantId: string }[];

/** Removes the dead letters among these deliveries whose delivery has moved on. */
export async function removeDeadLetters(
  sql: Sql,
  deliveryIds: readonly string[],
): Promise<RemovedDeadLetters> {
  if (deliveryIds.length === 0) return [];
  return sql<{ tenantId: string }[]>`
    delete from dead_letters l using deliveries d
    where l.delivery_id = any(${[...deliveryIds]}::text[])
      and l.day in (select '1970-01-01'::date + n from unnest(${[...new Set(deliveryIds.map(recordDay))]}::int[]) n)
      and d.delivery_id = l.delivery_id and d.day = l.day and d.retention_days = l.retention_days
      and d.standing > l.standing
    returning l.tenant_id`;
}

/** A decision to take a delivery's dead letter out. */
export interface DeadLetterRemoval {
  readonly tenantId: string;
  readonly deliveryId: string;
  readonly reason: string;
  readonly atMs: number;
}

/**
 * Removes dead letters by decision; their deliveries stay failed. One whose record is still to be read will not be
 * written. The same decision, read again, takes nothing that came after it.
 */
export async function takeOutDeadLetters(
  sql: Sql,
  removals: readonly DeadLetterRemoval[],
): Promise<RemovedDeadLetters> {
  if (removals.length === 0) return [];
  return sql<{ tenantId: string }[]>`
    with given as (
      select delivery_id, tenant_id, reason, day, to_timestamp(at_ms::float8 / 1000) as at
      from unnest(
        ${removals.map((each) => each.deliveryId)}::text[], ${removals.map((each) => each.tenantId)}::text[],
        ${removals.map((each) => each.reason)}::text[], ${removals.map((each) => each.atMs)}::bigint[],
        ${removals.map((each) => recordDay(each.deliveryId))}::int[]
      ) as given (delivery_id, tenant_id, reason, at_ms, days)
      cross join lateral (select '1970-01-01'::date + days as day) d
    ), failed as (
      -- Locked: a dead letter of the same failure that is written at the same time waits for this decision.
      select g.*, d.standing from given g
      join deliveries d on d.delivery_id = g.delivery_id and d.day = g.day and d.tenant_id = g.tenant_id
      where d.state = 'failed' and not exists (
        select 1 from dead_letter_removals r where r.delivery_id = g.delivery_id and r.removed_at >= g.at
      )
      order by g.delivery_id for update of d
    ), noted as (
      insert into dead_letter_removals as r (delivery_id, tenant_id, standing, reason, removed_at)
      select delivery_id, tenant_id, standing, reason, at from failed
      on conflict (delivery_id) do update set
        standing = greatest(r.standing, excluded.standing), reason = excluded.reason,
        removed_at = greatest(r.removed_at, excluded.removed_at)
    )
    delete from dead_letters l using failed f
    where l.delivery_id = f.delivery_id and l.day = f.day and l.standing <= f.standing
    returning l.tenant_id`;
}

/** Decisions are kept as long as the records of `dead-letters`; gives back how many have gone. */
export async function removeOldRemovals(sql: Sql): Promise<number> {
  const removed = await sql`delete from dead_letter_removals where noted_at < now() - interval '31 days'`;
  return removed.count;
}

/** Of tenants whose policy is `drop_oldest`: removes the oldest dead letters beyond their quota. */
export async function trimDeadLetters(sql: Sql, tenantIds: readonly string[]): Promise<RemovedDeadLetters> {
  if (tenantIds.length === 0) return [];
  return sql<{ tenantId: string }[]>`
    delete from dead_letters l
    using quotas q, lateral (
      select delivery_id, day, retention_days from dead_letters
      where dead_letters.tenant_id = q.tenant_id
      order by failed_at desc, delivery_id offset q.max_dlq_size
    ) beyond
    where q.tenant_id = any(${[...tenantIds]}::text[]) and q.dlq_policy = 'drop_oldest'
      and l.delivery_id = beyond.delivery_id and l.day = beyond.day
      and l.retention_days = beyond.retention_days
    returning l.tenant_id`;
}

/** Newest failure first. Without a tenant: of all, for callers that may act for any. */
export async function listDeadLetters(
  sql: Sql,
  tenantId: string | null,
  page: DeadLetterFilter & { readonly limit: number; readonly offset: number },
): Promise<DeadLetterRow[]> {
  return sql<DeadLetterRow[]>`
    select ${deadLetterColumns(sql)} from dead_letters
    where ${ofTenant(sql, tenantId)} ${filtered(sql, page)}
    order by failed_at desc, delivery_id limit ${page.limit} offset ${page.offset}`;
}

/** Null for one that is not there, and for another tenant's. */
export async function findDeadLetter(
  sql: Sql,
  tenantId: string,
  deliveryId: string,
): Promise<DeadLetterRow | null> {
  const [row] = await sql<DeadLetterRow[]>`
    select ${deadLetterColumns(sql)} from dead_letters
    where delivery_id = ${deliveryId} and day = '1970-01-01'::date + ${recordDay(deliveryId)}::int
      and tenant_id = ${tenantId}`;
  return row ?? null;
}

/** Without a tenant: of all. */
export async function countDeadLetters(
  sql: Sql,
  tenantId: string | null,
  filter: DeadLetterFilter = {},
): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from dead_letters
    where ${ofTenant(sql, tenantId)} ${filtered(sql, filter)}`;
  return row!.count;
}

const deadLetterColumns = (sql: Sql) => sql`
  delivery_id, tenant_id, endpoint_id, event_id, event_type, run, round, reason, last_failure, last_status,
  last_error, attempts, failed_at, topic, partition, "offset"`;

const ofTenant = (sql: Sql, tenantId: string | null) =>
  tenantId === null ? sql`true` : sql`tenant_id = ${tenantId}`;

const filtered = (sql: Sql, filter: DeadLetterFilter) => sql`
  ${filter.endpointId === undefined ? sql`` : sql`and endpoint_id = ${filter.endpointId}`}
  ${filter.eventType === undefined ? sql`` : sql`and event_type = ${filter.eventType}`}
  ${filter.since === undefined ? sql`` : sql`and failed_at >= ${filter.since}::timestamptz`}
  ${filter.until === undefined ? sql`` : sql`and failed_at < ${filter.until}::timestamptz`}
  ${filter.reason === undefined ? sql`` : sql`and reason = ${filter.reason}`}
  ${filter.failure === undefined ? sql`` : sql`and last_failure = ${filter.failure}`}
  ${filter.endpointIds === undefined ? sql`` : sql`and endpoint_id = any(${[...filter.endpointIds]}::text[])`}`;
