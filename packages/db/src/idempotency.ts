import type { Sql } from './database.ts';

/** What a request is known by when it comes again: at least one of the two, each its own within its tenant. */
export interface ClaimNames {
  readonly idempotencyKey: string | null;
  readonly clientEventId: string | null;
}

export interface NewClaim extends ClaimNames {
  readonly tenantId: string;
  /** UUID: the event that the claim makes, whoever produces it. */
  readonly eventId: string;
  readonly bodyHash: Uint8Array;
  /** Of `events`. */
  readonly partition: number;
  /** UUID. */
  readonly leaseId: string;
  /** By Postgres' clock, from now. */
  readonly leaseMs: number;
}

export interface ClaimRow {
  readonly eventId: string;
  readonly bodyHash: Buffer;
  readonly partition: number;
  readonly leaseId: string;
  /** Milliseconds until somebody else may take it over; 0 or less when somebody may. */
  readonly leaseLeftMs: number;
  /** JSON as it was stored; null until it is known. */
  readonly answer: string | null;
  /** Past its day: as if it were not there. */
  readonly expired: boolean;
}

/** How long a claim holds its names. */
export const CLAIM_HOURS = 24;
/** Rows that one statement of the upkeep removes. */
export const MAX_CLAIMS_REMOVED = 10_000;

const after = (sql: Sql, leaseMs: number) => sql`now() + ${leaseMs}::float8 * interval '1 millisecond'`;

/** False when one of its names is another claim's: nothing was written then. */
export async function insertClaim(sql: Sql, claim: NewClaim): Promise<boolean> {
  const inserted = await sql`
    insert into event_claims (event_id, tenant_id, idempotency_key, client_event_id, body_hash, partition,
                              lease_id, lease_until, expires_at)
    values (${claim.eventId}::uuid, ${claim.tenantId}, ${claim.idempotencyKey}, ${claim.clientEventId},
            ${claim.bodyHash}, ${claim.partition}, ${claim.leaseId}::uuid, ${after(sql, claim.leaseMs)},
            now() + ${CLAIM_HOURS} * interval '1 hour')
    on conflict do nothing`;
  return inserted.count > 0;
}

/** At most two, when the key and the id are different claims'. */
export async function findClaims(sql: Sql, tenantId: string, names: ClaimNames): Promise<ClaimRow[]> {
  return sql<ClaimRow[]>`
    select event_id, body_hash, partition, lease_id, answer, expires_at <= now() as expired,
           (extract(epoch from lease_until - now()) * 1000)::float8 as lease_left_ms
    from event_claims where ${named(sql, tenantId, names)}`;
}

/** Frees names whose day is over. */
export async function removeExpiredClaims(sql: Sql, tenantId: string, names: ClaimNames): Promise<void> {
  await sql`delete from event_claims where ${named(sql, tenantId, names)} and expires_at <= now()`;
}

/** Two lookups in two indexes: an index on either name serves no condition that joins both. */
const named = (sql: Sql, tenantId: string, { idempotencyKey, clientEventId }: ClaimNames) => sql`
  event_id in (
    select event_id from event_claims where tenant_id = ${tenantId} and idempotency_key = ${idempotencyKey}
    union
    select event_id from event_claims where tenant_id = ${tenantId} and client_event_id = ${clientEventId})`;

export interface HeldClaim {
  readonly tenantId: string;
  readonly eventId: string;
  readonly leaseId: string;
}

/** Gives a lease that has run out to `leaseId`; false when it is held, was taken, or there is an answer. */
export async function takeOverClaim(
  sql: Sql,
  { tenantId, eventId, leaseId }: HeldClaim,
  lease: { readonly leaseId: string; readonly leaseMs: number },
): Promise<boolean> {
  const taken = await sql`
    update event_claims set lease_id = ${lease.leaseId}::uuid, lease_until = ${after(sql, lease.leaseMs)}
    where event_id = ${eventId}::uuid and tenant_id = ${tenantId} and lease_id = ${leaseId}::uuid
      and lease_until <= now() and answer is null`;
  return taken.count > 0;
}

/** Begins the lease anew for a produce to `partition`; false when it is no longer this one's. */
export async function renewClaim(
  sql: Sql,
  { tenantId, eventId, leaseId }: HeldClaim,
  lease: { readonly partition: number; readonly leaseMs: number },
): Promise<boolean> {
  const renewed = await sql`
    update event_claims set partition = ${lease.partition}, lease_until = ${after(sql, lease.leaseMs)}
    where event_id = ${eventId}::uuid and tenant_id = ${tenantId} and lease_id = ${leaseId}::uuid`;
  return renewed.count > 0;
}

/** False when the lease was taken over meanwhile: whoever did answers for the claim. */
export async function storeAnswer(
  sql: Sql,
  { tenantId, eventId, leaseId }: HeldClaim,
  answer: string,
): Promise<boolean> {
  const stored = await sql`
    update event_claims set answer = ${answer}
    where event_id = ${eventId}::uuid and tenant_id = ${tenantId} and lease_id = ${leaseId}::uuid`;
  return stored.count > 0;
}

/** Frees the names: nothing was produced. */
export async function releaseClaim(sql: Sql, { tenantId, eventId, leaseId }: HeldClaim): Promise<void> {
  await sql`
    delete from event_claims
    where event_id = ${eventId}::uuid and tenant_id = ${tenantId} and lease_id = ${leaseId}::uuid
      and answer is null`;
}

/** Lets the lease run out at once: who asks next takes it over. */
export async function leaveClaim(sql: Sql, { tenantId, eventId, leaseId }: HeldClaim): Promise<void> {
  await sql`
    update event_claims set lease_until = now()
    where event_id = ${eventId}::uuid and tenant_id = ${tenantId} and lease_id = ${leaseId}::uuid`;
}

/** Removes claims whose day is over, `MAX_CLAIMS_REMOVED` at most; gives back how many. */
export async function removeOldClaims(sql: Sql): Promise<number> {
  const removed = await sql`
    delete from event_claims where event_id in (
      select event_id from event_claims where expires_at <= now() order by expires_at limit ${MAX_CLAIMS_REMOVED})`;
  return removed.count;
}
