import { OPERATOR_TENANT_ID } from '@posthorn/contracts';
import type { JSONValue } from 'postgres';
import type { Sql } from './database.ts';

export interface NewOperationalEvent {
  /** UUIDv7: the id it is published under, however often that is tried. */
  readonly eventId: string;
  readonly type: string;
  /** What happens once has one key. */
  readonly dedupeKey: string;
  /** The tenant that it is about. */
  readonly tenantId: string;
  readonly payload: Readonly<Record<string, JSONValue>>;
}

export interface OperationalEventRow {
  readonly eventId: string;
  readonly type: string;
  readonly payload: Readonly<Record<string, JSONValue>>;
  readonly createdAt: Date;
}

/**
 * Keeps events to be published, in the transaction of what they tell about. None while the operator has no active
 * endpoint, and never one about the operator's own tenant, which would be a loop. Gives back how many.
 */
export async function insertOperationalEvents(
  sql: Sql,
  events: readonly NewOperationalEvent[],
): Promise<number> {
  const rows = events.filter((event) => event.tenantId !== OPERATOR_TENANT_ID);
  if (rows.length === 0) return 0;
  const inserted = await sql`
    insert into operational_events (event_id, type, dedupe_key, tenant_id, payload)
    select event_id, type, dedupe_key, tenant_id, payload::jsonb
    from unnest(
      ${rows.map((row) => row.eventId)}::uuid[], ${rows.map((row) => row.type)}::text[],
      ${rows.map((row) => row.dedupeKey)}::text[], ${rows.map((row) => row.tenantId)}::text[],
      ${rows.map((row) => JSON.stringify(row.payload))}::text[]
    ) as given (event_id, type, dedupe_key, tenant_id, payload)
    where exists (select 1 from endpoints where tenant_id = ${OPERATOR_TENANT_ID} and scope = 'tenant' and state in ('active', 'paused'))
    order by dedupe_key
    on conflict do nothing`;
  return inserted.count;
}

/** Those that wait to be published, oldest first. Held for this transaction: another publisher takes the next. */
export async function takeUnpublished(transaction: Sql, limit: number): Promise<OperationalEventRow[]> {
  return transaction<OperationalEventRow[]>`
    select event_id, type, payload, created_at from operational_events
    where published_at is null order by created_at, event_id limit ${limit} for update skip locked`;
}

export async function markPublished(transaction: Sql, eventIds: readonly string[]): Promise<void> {
  await transaction`
    update operational_events set published_at = now() where event_id = any(${[...eventIds]}::uuid[])`;
}

/** Removes what was published a week ago; gives back how many. */
export async function removePublished(sql: Sql): Promise<number> {
  const removed = await sql`
    delete from operational_events where published_at < now() - interval '7 days'`;
  return removed.count;
}
