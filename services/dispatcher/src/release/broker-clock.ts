/**
 * The broker's clock as seen from here. A record's append time, and the monotonic times around its produce request,
 * bound the difference between the two clocks: the append happened between sending and acknowledgement. The middle of
 * the narrowest such interval is the estimate, wrong by half a round trip at most. A wall clock on this side plays no
 * part. (Brokers of one cluster are taken to agree with each other, as a working NTP makes them.)
 */
export interface BrokerClock {
  /** Unix milliseconds on the broker. @throws Error before the first sample. */
  nowMs(): number;
  observe(sample: BrokerSample): void;
  /** Milliseconds since the last sample; infinite before the first. */
  readonly ageMs: number;
}

export interface BrokerSample {
  readonly appendTimeMs: number;
  /** Monotonic milliseconds at which the request was given to the producer, and at which its answer was seen. */
  readonly sentMs: number;
  readonly ackedMs: number;
}

/** After this a wider sample replaces a narrower one: clocks drift, and step. */
export const SAMPLE_LIFE_MS = 10_000;
/**
 * A wider sample that does not contradict the one at hand tells less than it, however old that is: monotonic clocks
 * drift by milliseconds an hour, and a request that an outage held up for seconds would put the clock seconds ahead.
 */
const MAX_SAMPLE_WIDTH_MS = 1_000;

export function createBrokerClock(monotonicMs: () => number): BrokerClock {
  let best: { low: number; high: number; ackedMs: number } | undefined;
  let lastAckedMs = Number.NEGATIVE_INFINITY;

  return {
    nowMs() {
      if (!best) throw new Error("the broker's clock is not known yet");
      return monotonicMs() + (best.low + best.high) / 2;
    },
    observe({ appendTimeMs, sentMs, ackedMs }) {
      const low = appendTimeMs - ackedMs;
      // Append times are whole milliseconds, rounded down.
      const high = appendTimeMs + 1 - sentMs;
      const width = high - low;
      const narrower = !best || width <= best.high - best.low;
      const stepped = best !== undefined && (low > best.high || high < best.low);
      const expired = best !== undefined && ackedMs - best.ackedMs > SAMPLE_LIFE_MS;
      if (!narrower && !stepped && width > MAX_SAMPLE_WIDTH_MS) return;
      lastAckedMs = Math.max(lastAckedMs, ackedMs);
      if (narrower || stepped || expired) best = { low, high, ackedMs };
    },
    get ageMs() {
      return monotonicMs() - lastAckedMs;
    },
  };
}
