/** A reading of another clock: it was taken at some time between two of ours. */
export interface ClockReading {
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
  readonly theirsMs: number;
}

/** What two clocks may drift apart, in milliseconds each millisecond: as fast as time servers make a clock run. */
export const MAX_DRIFT = 0.000_6;
/** Clocks that are further from what was known have been set. */
const SET_MS = 1_000;

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
      low -= driftMs;
      high += driftMs;
      if (isFirst || most < low - SET_MS || least > high + SET_MS) {
        low = least;
        high = most;
        return;
      }
      // Bounds that do not meet move as far as they must: a slow answer alone would say far less than is known.
      const width = Math.min(high - low, most - least);
      if (most < low) {
        high = most;
        low = most - width;
      } else if (least > high) {
        low = least;
        high = least + width;
      } else {
        low = Math.max(low, least);
        high = Math.min(high, most);
      }
    },
    at: (monotonicMs) => monotonicMs + (low + high) / 2,
  };
}
