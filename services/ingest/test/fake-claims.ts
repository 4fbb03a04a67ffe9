import type { ClaimNames, ClaimRow, NewClaim } from '@posthorn/db';
import type { Claims } from '../src/accept/once/claims.ts';

interface Row extends NewClaim {
  leaseId: string;
  partition: number;
  leaseUntilMs: number;
  expiresAtMs: number;
  answer: string | null;
}

const DAY_MS = 86_400_000;

/** The table of claims and the record beside it, as packages/db/src/idempotency.ts says; `nowMs` is Postgres' clock. */
export interface FakeClaims extends Claims {
  /** Revisions of recorded events, by id. */
  readonly recorded: Map<string, number>;
  readonly recordedOffsets: Map<number, number>;
  readonly size: number;
}

export function createFakeClaims(nowMs: () => number): FakeClaims {
  const rows = new Map<string, Row>();
  const named = (tenantId: string, names: ClaimNames): Row[] =>
    [...rows.values()].filter(
      (row) =>
        row.tenantId === tenantId &&
        ((names.idempotencyKey !== null && row.idempotencyKey === names.idempotencyKey) ||
          (names.clientEventId !== null && row.clientEventId === names.clientEventId)),
    );
  const leased = ({ eventId, leaseId }: { eventId: string; leaseId: string }): Row | undefined => {
    const row = rows.get(eventId);
    return row?.leaseId === leaseId ? row : undefined;
  };
  const recorded = new Map<string, number>();
  const recordedOffsets = new Map<number, number>();
  return {
    recorded,
    recordedOffsets,
    get size() {
      return rows.size;
    },
    async insert(claim) {
      if (named(claim.tenantId, claim).length > 0) return false;
      const leaseUntilMs = nowMs() + claim.leaseMs;
      rows.set(claim.eventId, { ...claim, leaseUntilMs, expiresAtMs: nowMs() + DAY_MS, answer: null });
      return true;
    },
    find: async (tenantId, names) => named(tenantId, names).map((row) => shown(row, nowMs())),
    async removeExpired(tenantId, names) {
      for (const row of named(tenantId, names)) if (row.expiresAtMs <= nowMs()) rows.delete(row.eventId);
    },
    async takeOver(claim, { leaseId, leaseMs }) {
      const row = leased(claim);
      if (!row || row.leaseUntilMs > nowMs() || row.answer !== null) return false;
      Object.assign(row, { leaseId, leaseUntilMs: nowMs() + leaseMs });
      return true;
    },
    async renew(claim, { partition, leaseMs }) {
      const row = leased(claim);
      if (row) Object.assign(row, { partition, leaseUntilMs: nowMs() + leaseMs });
      return row !== undefined;
    },
    async storeAnswer(claim, answer) {
      const row = leased(claim);
      if (row) row.answer = answer;
      return row !== undefined;
    },
    async release(claim) {
      if (leased(claim)?.answer === null) rows.delete(claim.eventId);
    },
    async leave(claim) {
      const row = leased(claim);
      if (row) row.leaseUntilMs = nowMs();
    },
    findRevision: async (_tenantId, eventId) => recorded.get(eventId) ?? null,
    findRecordedOffset: async (partition) => recordedOffsets.get(partition) ?? null,
  };
}

const shown = (row: Row, nowMs: number): ClaimRow => ({
  eventId: row.eventId,
  bodyHash: Buffer.from(row.bodyHash),
  partition: row.partition,
  leaseId: row.leaseId,
  leaseLeftMs: row.leaseUntilMs - nowMs,
  answer: row.answer,
  expired: row.expiresAtMs <= nowMs,
});
