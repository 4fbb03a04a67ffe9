import { inTransaction, type PoolSql, type Sql } from './database.ts';
import { firstIdOf, recordDay } from './record-day.ts';

/**
 * Payloads that are to be forgotten before their retention ends. Of an event go its bytes and what receivers answered
 * to it; what remains says that it was, and what became of it. What Kafka holds goes with its topics' retention.
 */
export interface ExpungedEvent {
  readonly eventId: string;
  readonly acceptedAt: Date;
  readonly payloadExpungedAt: Date;
}

/** Null for one that is not recorded, and for another tenant's. One that was expunged before stays so. */
export async function expungeEvent(
  sql: Sql,
  tenantId: string,
  eventId: string,
): Promise<ExpungedEvent | null> {
  const [event] = await sql<ExpungedEvent[]>`
    update events set payload = '', payload_expunged_at = coalesce(payload_expunged_at, now())
    where event_id = ${eventId}::uuid and day = '1970-01-01'::date + ${recordDay(eventId)}::int
      and tenant_id = ${tenantId}
    returning event_id, accepted_at, payload_expunged_at`;
  if (event === undefined) return null;
  await expungeAnswers(sql, [eventId]);
  return event;
}

/** Of whoever's endpoints: a receiver may send back what it got. */
async function expungeAnswers(sql: Sql, eventIds: readonly string[]): Promise<void> {
  const days = eventIds.map(recordDay);
  await sql`
    update attempts set response_body = null, response_headers = null
    where event_id = any(${[...eventIds]}::uuid[])
      and day between '1970-01-01'::date + ${Math.min(...days)}::int and '1970-01-01'::date + ${Math.max(...days)}::int
      and (response_body is not null or response_headers is not null)`;
}

/** All that a tenant had sent by a moment. */
export interface ExpungeRow {
  readonly expungeId: string;
  readonly tenantId: string;
  /** What was accepted before it. */
  readonly before: Date;
  readonly askedAt: Date;
  /** Whose payloads have gone so far. */
  readonly events: number;
  readonly doneAt: Date | null;
}

/** Starts one, or lets the one that is under way go as far: a tenant has one at a time. */
export async function startExpunge(sql: Sql, tenantId: string, expungeId: string): Promise<ExpungeRow> {
  const [row] = await sql<ExpungeRow[]>`
    insert into expunges as e (expunge_id, tenant_id, before) values (${expungeId}, ${tenantId}, now())
    on conflict (tenant_id) where done_at is null do update set
      before = excluded.before, asked_at = now(), pass = 1, cursor = case when e.pass = 1 then e.cursor end
    returning ${columns(sql)}`;
  return row!;
}

/** A tenant's, the last that was asked for first. */
export async function listExpunges(sql: Sql, tenantId: string, limit: number): Promise<ExpungeRow[]> {
  return sql<ExpungeRow[]>`
    select ${columns(sql)} from expunges where tenant_id = ${tenantId} order by asked_at desc limit ${limit}`;
}

const columns = (sql: Sql) => sql`expunge_id, tenant_id, before, asked_at, events, done_at`;

interface OpenExpunge {
  readonly expungeId: string;
  readonly tenantId: string;
  readonly before: Date;
  readonly cursor: string | null;
  readonly pass: number;
}

/** Events that one step looks through. */
const EVENTS_PER_STEP = 500;
/** A second pass, after this time, finds what was accepted before and recorded after the first. */
export const SECOND_PASS_MS = 900_000;

/** Takes the next step of the one that has waited longest; null when there is none. Gives back whose payloads went. */
export async function takeExpungeStep(
  sql: PoolSql,
  { eventsPerStep = EVENTS_PER_STEP, secondPassMs = SECOND_PASS_MS } = {},
): Promise<{ readonly expunged: number } | null> {
  return inTransaction(sql, async (transaction) => {
    const [open] = await transaction<OpenExpunge[]>`
      select expunge_id, tenant_id, before, cursor, pass from expunges
      where done_at is null and (pass = 1 or asked_at <= now() - ${secondPassMs} * interval '1 millisecond')
      order by asked_at limit 1 for update skip locked`;
    if (open === undefined) return null;
    const scanned = await scan(transaction, open, eventsPerStep);
    const expunged = await expungeEvents(transaction, scanned);
    const passDone = scanned.length < eventsPerStep;
    await transaction`
      update expunges set
        events = events + ${expunged}, cursor = ${passDone ? null : scanned.at(-1)!},
        pass = pass + ${passDone ? 1 : 0}, done_at = ${passDone && open.pass > 1 ? transaction`now()` : null}
      where expunge_id = ${open.expungeId}`;
    return { expunged };
  });
}

/** In the order of their ids, which is that of their acceptance. */
async function scan(sql: Sql, open: OpenExpunge, limit: number): Promise<string[]> {
  const { tenantId, before, cursor } = open;
  const from = cursor ?? firstIdOf(0);
  const to = firstIdOf(before.getTime());
  const rows = await sql<{ eventId: string }[]>`
    select event_id from events
    where tenant_id = ${tenantId} and event_id > ${from}::uuid and event_id < ${to}::uuid
      and day between '1970-01-01'::date + ${recordDay(from)}::int and '1970-01-01'::date + ${recordDay(to)}::int
    order by event_id limit ${limit}`;
  return rows.map((row) => row.eventId);
}

async function expungeEvents(sql: Sql, eventIds: readonly string[]): Promise<number> {
  if (eventIds.length === 0) return 0;
  const days = eventIds.map(recordDay);
  const expunged = await sql`
    update events set payload = '', payload_expunged_at = now()
    where event_id = any(${[...eventIds]}::uuid[]) and payload_expunged_at is null
      and day between '1970-01-01'::date + ${Math.min(...days)}::int and '1970-01-01'::date + ${Math.max(...days)}::int`;
  await expungeAnswers(sql, eventIds);
  return expunged.count;
}

/** Removes those that were done three months ago; gives back how many. */
export async function removeOldExpunges(sql: Sql): Promise<number> {
  const removed = await sql`delete from expunges where done_at < now() - interval '90 days'`;
  return removed.count;
}
