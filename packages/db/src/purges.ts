import { standingOrder } from '@posthorn/contracts';
import { CANCELLATION_DAYS, type CancellationScope } from './cancellations.ts';
import { inTransaction, type PoolSql, type Sql } from './database.ts';

/** A cancellation whose rows are to be marked. */
export interface NewPurge extends CancellationScope {
  readonly tenantId: string;
  /** What was accepted before it. */
  readonly revision: number;
  /** Unix milliseconds by the asker's clock. */
  readonly askedAtMs: number;
}

export interface PurgeStep {
  readonly tenantId: string;
  /** Rows that this step has marked. */
  readonly marked: number;
  /** Whether that was its last. */
  readonly done: boolean;
}

/** Rows of all tenants that one step looks through. */
export const PURGE_CHUNK_ROWS = 20_000;
/** What was journaled shortly before the cancellation may be written shortly after it. */
export const PURGE_DELAY_MS = 1_000;
export const CANCELLED_BY_REQUEST = 'cancelled_by_request';

/** Keeps what is to be purged; one that was kept before stays as it is. */
export async function notePurges(sql: Sql, purges: readonly NewPurge[]): Promise<void> {
  if (purges.length === 0) return;
  await sql`
    insert into purges (tenant_id, revision, endpoint_id, event_id, asked_at)
    select tenant_id, revision, endpoint_id, event_id, to_timestamp(asked_at_ms::float8 / 1000)
    from unnest(
      ${purges.map((purge) => purge.tenantId)}::text[], ${purges.map((purge) => purge.revision)}::bigint[],
      ${purges.map((purge) => purge.endpointId)}::text[], ${purges.map((purge) => purge.eventId)}::uuid[],
      ${purges.map((purge) => purge.askedAtMs)}::bigint[]
    ) as given (tenant_id, revision, endpoint_id, event_id, asked_at_ms)
    order by tenant_id, revision
    on conflict do nothing`;
}

interface OpenPurge extends CancellationScope {
  readonly tenantId: string;
  readonly revision: number;
  readonly askedAt: Date;
  readonly cursor: string;
}

/**
 * Marks the next chunk of the purge that has waited longest; null when there is none. Marked are rows that wait, of
 * events accepted before the cancellation, and that nothing was heard of since: a replay that came after it, or an
 * attempt that was under way, speaks for itself.
 */
export async function takePurgeStep(
  sql: PoolSql,
  chunkRows = PURGE_CHUNK_ROWS,
  delayMs = PURGE_DELAY_MS,
): Promise<PurgeStep | null> {
  return inTransaction(sql, async (transaction) => {
    const [purge] = await transaction<OpenPurge[]>`
      select tenant_id, revision, endpoint_id, event_id, asked_at, cursor from purges
      where done_at is null and noted_at <= now() - ${delayMs} * interval '1 millisecond'
      order by noted_at, tenant_id, revision limit 1 for update skip locked`;
    if (!purge) return null;
    const [step] = await markChunk(transaction, purge, chunkRows);
    const { last, scanned, marked } = step!;
    const done = scanned < chunkRows;
    await transaction`
      update purges set cursor = ${last ?? purge.cursor}, marked = marked + ${marked}::bigint,
                        done_at = ${done ? transaction`now()` : null}
      where tenant_id = ${purge.tenantId} and revision = ${purge.revision}::bigint`;
    return { tenantId: purge.tenantId, marked, done };
  });
}

/** Of an event that is one range of the primary key; else of all that can still wait. */
const inScope = (sql: Sql, { eventId, askedAt }: OpenPurge) =>
  eventId === null
    ? sql`day >= ${askedAt}::date - ${CANCELLATION_DAYS}::int`
    : sql`delivery_id >= ${`${eventId}_`} and delivery_id < ${`${eventId}\``}`;

function markChunk(sql: Sql, purge: OpenPurge, chunkRows: number) {
  const { tenantId, endpointId, revision, askedAt } = purge;
  const first = standingOrder({ state: 'cancelled', round: 0, attempt: 0 });
  const perRound = standingOrder({ state: 'cancelled', round: 1, attempt: 0 }) - first;
  const perAttempt = standingOrder({ state: 'cancelled', round: 0, attempt: 1 }) - first;
  return sql<{ last: string | null; scanned: number; marked: number }[]>`
    with scanned as materialized (
      select delivery_id, day, retention_days, event_id, tenant_id, endpoint_id, state, updated_at
      from deliveries where delivery_id > ${purge.cursor} and ${inScope(sql, purge)}
      order by delivery_id limit ${chunkRows}
    ), waiting as (
      select s.delivery_id, s.day, s.retention_days from scanned s
      join events e on e.event_id = s.event_id and e.day = s.day and e.retention_days = s.retention_days
      where s.tenant_id = ${tenantId} and (${endpointId}::text is null or s.endpoint_id = ${endpointId})
        and s.state in ('scheduled', 'pending', 'processing') and s.updated_at <= ${askedAt}
        and e.revision < ${revision}::bigint
    ), held as (
      -- One order of locks with the recorders' batches.
      select d.delivery_id, d.day, d.retention_days from deliveries d join waiting using (delivery_id, day, retention_days)
      order by d.delivery_id for update of d
    ), marked as (
      update deliveries d set
        state = 'cancelled', next_due_at = null, last_error = ${CANCELLED_BY_REQUEST}, updated_at = ${askedAt},
        standing = ${first}::bigint + least(d.round, 9999) * ${perRound}::bigint
                 + least(d.attempt, 9999) * ${perAttempt}::bigint,
        rewrites = d.rewrites + 1
      from held h
      where d.delivery_id = h.delivery_id and d.day = h.day and d.retention_days = h.retention_days
        and d.state in ('scheduled', 'pending', 'processing') and d.updated_at <= ${askedAt}
      returning 1
    )
    select (select delivery_id from scanned order by delivery_id desc limit 1) as last,
           (select count(*)::int from scanned) as scanned, (select count(*)::int from marked) as marked`;
}

/** Removes those that were done a week ago; gives back how many. */
export async function removeDonePurges(sql: Sql): Promise<number> {
  const removed = await sql`delete from purges where done_at < now() - interval '7 days'`;
  return removed.count;
}
