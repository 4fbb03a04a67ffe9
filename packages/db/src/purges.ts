import { standingOrder } from '@posthorn/contracts';
import { CANCELLATION_DAYS, type CancellationScope } from './cancellations.ts';
import { inTransaction, type PoolSql, type Sql } from './database.ts';
import { recordDay } from './record-day.ts';

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
    const { last, scanned, waiting } = await findWaiting(transaction, purge, chunkRows);
    const marked = await markCancelled(transaction, purge, waiting);
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

/** The next chunk: where it ends, how many rows it has, and which of them the purge is about. */
async function findWaiting(
  sql: Sql,
  purge: OpenPurge,
  chunkRows: number,
): Promise<{ last: string | null; scanned: number; waiting: string[] }> {
  const { tenantId, endpointId, revision, askedAt } = purge;
  const [found] = await sql<{ last: string | null; scanned: number; waiting: string[] }[]>`
    with scanned as materialized (
      select delivery_id, day, retention_days, event_id, tenant_id, endpoint_id, state, updated_at
      from deliveries where delivery_id > ${purge.cursor} and ${inScope(sql, purge)}
      order by delivery_id limit ${chunkRows}
    )
    select (select delivery_id from scanned order by delivery_id desc limit 1) as last,
           (select count(*)::int from scanned) as scanned,
           array(
             select s.delivery_id from scanned s
             -- Looked up one by one ("offset 0"): no plan may read a day's events for a chunk of deliveries.
             cross join lateral (
               select revision from events e
               where e.event_id = s.event_id and e.day = s.day and e.retention_days = s.retention_days offset 0
             ) e
             where s.tenant_id = ${tenantId} and (${endpointId}::text is null or s.endpoint_id = ${endpointId})
               and s.state in ('scheduled', 'pending', 'processing') and s.updated_at <= ${askedAt}
               and e.revision < ${revision}::bigint
           ) as waiting`;
  return found!;
}

async function markCancelled(sql: Sql, { askedAt }: OpenPurge, deliveryIds: string[]): Promise<number> {
  if (deliveryIds.length === 0) return 0;
  const first = standingOrder({ state: 'cancelled', round: 0, attempt: 0 });
  const perRound = standingOrder({ state: 'cancelled', round: 1, attempt: 0 }) - first;
  const perAttempt = standingOrder({ state: 'cancelled', round: 0, attempt: 1 }) - first;
  const chosen = sql`
    delivery_id = any(${deliveryIds}::text[])
    and day in (select '1970-01-01'::date + n from unnest(${[...new Set(deliveryIds.map(recordDay))]}::int[]) n)`;
  // One order of locks with the recorders' batches.
  await sql`select 1 from deliveries where ${chosen} order by delivery_id for update`;
  const marked = await sql`
    update deliveries set
      state = 'cancelled', next_due_at = null, last_error = ${CANCELLED_BY_REQUEST}, updated_at = ${askedAt},
      standing = ${first}::bigint + least(round, 9999) * ${perRound}::bigint
               + least(attempt, 9999) * ${perAttempt}::bigint,
      rewrites = rewrites + 1
    where ${chosen} and state in ('scheduled', 'pending', 'processing') and updated_at <= ${askedAt}`;
  return marked.count;
}

/** Removes those that were done a week ago; gives back how many. */
export async function removeDonePurges(sql: Sql): Promise<number> {
  const removed = await sql`delete from purges where done_at < now() - interval '7 days'`;
  return removed.count;
}
