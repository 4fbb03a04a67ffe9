/** A reading of another clock: it was taken at some time between two of ours. */
export interface ClockReading {
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
  readonly theirsMs: number;
}

/** What two clocks may drift apart, in milliseconds each millisecond: more than crystals do. */
const MAX_DRIFT = 0.000_2;

/**
 * What Postgres' clock says, by ours. Each reading bounds how far the two are apart; all of them together bound it
 * more closely than the quickest answer took, so that one slow answer moves nothing.
 */
export interface SharedTime {
  observe(reading: ClockReading): void;
  /** Of a time by our monotonic clock. Before the first reading they are the same. */
  at(monotonicMs: number): number;
}

export function createSharedTime(): SharedTime {
  let low = 0;
  let high = 0;
  let knownAtMs: number | undefined;
  return {
    observe({ sentAtMs, receivedAtMs, theirsMs }) {
      const least = theirsMs - receivedAtMs;
      const most = theirsMs - sentAtMs;
      const driftMs = knownAtMs === undefined ? 0 : Math.abs(receivedAtMs - knownAtMs) * MAX_DRIFT;
      const isFirst = knownAtMs === undefined;
      knownAtMs = receivedAtMs;
      if (isFirst || most < low - driftMs || least > high + driftMs) {
        // The first, or a clock was set.
        low = least;
        high = most;
        return;
      }
      low = Math.max(low - driftMs, least);
      high = Math.min(high + driftMs, most);
    },
    at: (monotonicMs) => monotonicMs + (low + high) / 2,
  };
}
