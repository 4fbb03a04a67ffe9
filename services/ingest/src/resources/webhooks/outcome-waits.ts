import type { Clock } from '@posthorn/runtime';

/** Requests that wait for the record to show an outcome: each asks Postgres anew, so they are few. */
export const MAX_WAITING_TESTS = 32;
/** The recorder writes several times a second; asking more often finds nothing sooner. */
export const OUTCOME_POLL_MS = 100;

export interface OutcomeWaits {
  /**
   * Asks until there is an answer; null after `waitMs`, or the longest wait there is, when this service stops, and at once, after one look, when too
   * many wait already.
   */
  until<T>(look: () => Promise<T | null>, waitMs: number): Promise<T | null>;
  readonly waiting: number;
}

export interface OutcomeWaitsOptions {
  readonly clock: Clock;
  readonly pause: (ms: number) => Promise<unknown>;
  readonly isStopping: () => boolean;
  readonly maxWaiting?: number;
  readonly maxWaitMs?: number;
}

export function createOutcomeWaits(options: OutcomeWaitsOptions): OutcomeWaits {
  const { clock, pause, isStopping, maxWaiting = MAX_WAITING_TESTS, maxWaitMs = Infinity } = options;
  let waiting = 0;
  return {
    async until(look, waitMs) {
      const untilMs = clock.monotonicMs() + (waiting < maxWaiting ? Math.min(waitMs, maxWaitMs) : 0);
      waiting += 1;
      try {
        for (;;) {
          const found = await look();
          if (found !== null) return found;
          const leftMs = untilMs - clock.monotonicMs();
          if (leftMs <= 0 || isStopping()) return null;
          await pause(Math.min(OUTCOME_POLL_MS, leftMs));
        }
      } finally {
        waiting -= 1;
      }
    },
    get waiting() {
      return waiting;
    },
  };
}
