import {
  type ClaimNames,
  type ClaimRow,
  type Database,
  findClaims,
  findEvent,
  findRecordedOffset,
  type HeldClaim,
  insertClaim,
  leaveClaim,
  type NewClaim,
  releaseClaim,
  removeExpiredClaims,
  renewClaim,
  storeAnswer,
  takeOverClaim,
  within,
} from '@posthorn/db';

/** What claims ask Postgres (packages/db/src/idempotency.ts says what each does), and the record about their events. */
export interface Claims {
  insert(claim: NewClaim): Promise<boolean>;
  find(tenantId: string, names: ClaimNames): Promise<readonly ClaimRow[]>;
  removeExpired(tenantId: string, names: ClaimNames): Promise<void>;
  takeOver(claim: HeldClaim, lease: { leaseId: string; leaseMs: number }): Promise<boolean>;
  renew(claim: HeldClaim, lease: { partition: number; leaseMs: number }): Promise<boolean>;
  storeAnswer(claim: HeldClaim, answer: string): Promise<boolean>;
  release(claim: HeldClaim): Promise<void>;
  leave(claim: HeldClaim): Promise<void>;
  /** The revision that the event was stamped with; null when it is not in the record. */
  findRevision(tenantId: string, eventId: string): Promise<number | null>;
  /** Of the topic `events`: the offset up to which the record has everything. */
  findRecordedOffset(partition: number): Promise<number | null>;
}

/** Shorter than what a lease leaves for it: a request that has waited longer for its claim does not produce. */
export const CLAIM_TIMEOUT_MS = 2_000;

/** @throws DatabaseTimeoutError after CLAIM_TIMEOUT_MS. */
export function openClaims({ sql }: Pick<Database, 'sql'>, eventsTopic: string): Claims {
  const ask = <T>(query: Promise<T>): Promise<T> => within(CLAIM_TIMEOUT_MS, query);
  return {
    insert: (claim) => ask(insertClaim(sql, claim)),
    find: (tenantId, names) => ask(findClaims(sql, tenantId, names)),
    removeExpired: (tenantId, names) => ask(removeExpiredClaims(sql, tenantId, names)),
    takeOver: (claim, lease) => ask(takeOverClaim(sql, claim, lease)),
    renew: (claim, lease) => ask(renewClaim(sql, claim, lease)),
    storeAnswer: (claim, answer) => ask(storeAnswer(sql, claim, answer)),
    release: (claim) => ask(releaseClaim(sql, claim)),
    leave: (claim) => ask(leaveClaim(sql, claim)),
    findRevision: async (tenantId, eventId) =>
      (await ask(findEvent(sql, tenantId, eventId)))?.revision ?? null,
    findRecordedOffset: (partition) => ask(findRecordedOffset(sql, eventsTopic, partition)),
  };
}
