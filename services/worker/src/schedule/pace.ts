/** Attempts that take longer make their tenant or endpoint a slow one. */
export const SLOW_MS = 1_000;
/** Each attempt moves the mean by this part of its distance. */
const WEIGHT = 1 / 8;
/** What costs next to nothing still takes a turn. */
const LEAST_CHARGE_MS = 1;

/** How long attempts take, of late. */
export interface Pace {
  /** Null: none has ended yet. */
  meanMs: number | null;
}

export function observe(pace: Pace, tookMs: number): void {
  pace.meanMs = pace.meanMs === null ? tookMs : pace.meanMs + (tookMs - pace.meanMs) * WEIGHT;
}

/** Not known yet counts as slow; so does one that keeps us waiting, until it answers. */
export function isSlow(pace: Pace, waitingMs: number): boolean {
  return pace.meanMs === null || pace.meanMs >= SLOW_MS || waitingMs >= SLOW_MS;
}

/** What an attempt is charged when it starts. */
export function estimateMs(endpoint: Pace, tenant: Pace, waitingMs: number, unknownMs: number): number {
  return Math.max(endpoint.meanMs ?? tenant.meanMs ?? unknownMs, waitingMs, LEAST_CHARGE_MS);
}
