import { putAsideDelayMs } from '@posthorn/contracts';

/**
 * How fast the deliveries of one tenant leave the tiers: a generic cell rate algorithm with a burst of one second. What
 * is over it is told when its turn is expected, so that a crowd of any size hops about once each and comes back spread
 * at the tenant's rate, while whoever stands behind it leaves on time.
 */
export interface ReleaseRate {
  /**
   * 0: it may leave, and is counted. Else the milliseconds to wait: until its turn, 1 s at least, doubling with
   * `crowded` (how often it was told to wait before), 256 s at most.
   */
  admit(tenantId: string, slots: number, crowded: number, nowMs: number): number;
  /** Tenants that are remembered. */
  readonly tenants: number;
}

export interface ReleaseRateOptions {
  /** Deliveries per second and tenant. */
  readonly perSec: number;
  /** Beyond it tenants that owe nothing are forgotten, then whoever came first: that one starts with a full burst. */
  readonly maxTenants: number;
}

interface TenantPace {
  /** What was admitted has used up the rate until then. */
  spentUntilMs: number;
  /** The turn of the last one that was told to wait. */
  lastTurnMs: number;
}

const BURST_MS = 1_000;
const SWEEP_PAUSE_MS = 1_000;
const LONGEST_WAIT_MS = putAsideDelayMs(Number.MAX_SAFE_INTEGER);

export function createReleaseRate({ perSec, maxTenants }: ReleaseRateOptions): ReleaseRate {
  const slotMs = 1_000 / perSec;
  const paces = new Map<string, TenantPace>();
  let sweptAtMs = Number.NEGATIVE_INFINITY;

  function makeRoom(nowMs: number): void {
    if (paces.size < maxTenants) return;
    if (nowMs - sweptAtMs >= SWEEP_PAUSE_MS) {
      sweptAtMs = nowMs;
      for (const [tenantId, pace] of paces) {
        if (pace.spentUntilMs <= nowMs && pace.lastTurnMs <= nowMs) paces.delete(tenantId);
      }
    }
    if (paces.size < maxTenants) return;
    const [first] = paces.keys();
    paces.delete(first!);
  }

  function paceOf(tenantId: string, nowMs: number): TenantPace {
    const known = paces.get(tenantId);
    if (known) return known;
    makeRoom(nowMs);
    const pace = { spentUntilMs: nowMs, lastTurnMs: nowMs };
    paces.set(tenantId, pace);
    return pace;
  }

  return {
    admit(tenantId, slots, crowded, nowMs) {
      const pace = paceOf(tenantId, nowMs);
      const costMs = slots * slotMs;
      const spentUntilMs = Math.max(pace.spentUntilMs, nowMs);
      // Nobody is too large for a burst that is whole.
      if (spentUntilMs === nowMs || spentUntilMs + costMs - nowMs <= BURST_MS) {
        pace.spentUntilMs = spentUntilMs + costMs;
        return 0;
      }
      const turnMs = Math.min(Math.max(pace.lastTurnMs, nowMs) + costMs, nowMs + LONGEST_WAIT_MS);
      pace.lastTurnMs = turnMs;
      return Math.max(turnMs - nowMs, putAsideDelayMs(crowded));
    },
    get tenants() {
      return paces.size;
    },
  };
}
