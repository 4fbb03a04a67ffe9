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
  type Sql,
  storeAnswer,
  takeOverClaim,
  within,
  withinTenant,
} from '@posthorn/db';
import {
  createQuestionGate,
  MAX_CLAIM_QUESTIONS,
  MAX_CLAIM_QUESTIONS_OF_TENANT,
  type QuestionGate,
} from '../../question-gate.ts';

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

/**
 * What begins an event's way is gated, what ends it is not: that comes of what was let in.
 * @throws DatabaseTimeoutError after CLAIM_TIMEOUT_MS.
 * @throws TooManyQuestionsError
 */
export function openClaims(
  { sql }: Pick<Database, 'sql'>,
  eventsTopic: string,
  gate: QuestionGate = createQuestionGate(MAX_CLAIM_QUESTIONS, MAX_CLAIM_QUESTIONS_OF_TENANT),
): Claims {
  const ask = <T>(query: Promise<T>): Promise<T> => within(CLAIM_TIMEOUT_MS, query);
  // What every event with a key goes through has its tenant in the row and asks in one round trip. What shows or takes
  // over what is there is kept to the tenant's rows by Postgres too.
  const ofTenant = <T>(tenantId: string, query: (own: Sql) => Promise<T>): Promise<T> =>
    withinTenant(sql, tenantId, query);
  return {
    insert: (claim) => gate.ask(CLAIM_TIMEOUT_MS, () => insertClaim(sql, claim), claim.tenantId),
    find: (tenantId, names) =>
      gate.ask(
        CLAIM_TIMEOUT_MS,
        () => ofTenant(tenantId, (own) => findClaims(own, tenantId, names)),
        tenantId,
      ),
    removeExpired: (tenantId, names) =>
      ask(ofTenant(tenantId, (own) => removeExpiredClaims(own, tenantId, names))),
    takeOver: (claim, lease) => ask(ofTenant(claim.tenantId, (own) => takeOverClaim(own, claim, lease))),
    renew: (claim, lease) => ask(ofTenant(claim.tenantId, (own) => renewClaim(own, claim, lease))),
    storeAnswer: (claim, answer) => ask(storeAnswer(sql, claim, answer)),
    release: (claim) => ask(releaseClaim(sql, claim)),
    leave: (claim) => ask(leaveClaim(sql, claim)),
    findRevision: async (tenantId, eventId) =>
      (await ask(ofTenant(tenantId, (own) => findEvent(own, tenantId, eventId))))?.revision ?? null,
    findRecordedOffset: (partition) => ask(findRecordedOffset(sql, eventsTopic, partition)),
  };
}
