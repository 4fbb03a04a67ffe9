import type { Clock } from '@posthorn/runtime';
import { createPlaces } from '../../places.ts';

/** Requests that wait for the record to show an outcome: each asks Postgres anew, so they are few. */
export const MAX_WAITING_TESTS = 32;
/** Of these one tenant's, so that there is room for those of others. */
export const MAX_WAITING_TESTS_OF_TENANT = 16;
/** The recorder writes several times a second; asking more often finds nothing sooner. */
export const OUTCOME_POLL_MS = 100;

export interface OutcomeWaits {
  /**
   * Asks until there is an answer; null after `waitMs`, or the longest wait there is, when this service stops, and at
   * once, after one look, when too many wait already, in all or of this tenant.
   */
  until<T>(tenantId: string, look: () => Promise<T | null>, waitMs: number): Promise<T | null>;
  readonly waiting: number;
}

export interface OutcomeWaitsOptions {
  readonly clock: Clock;
  readonly pause: (ms: number) => Promise<unknown>;
  readonly isStopping: () => boolean;
  readonly maxWaiting?: number;
  readonly maxWaitingOfTenant?: number;
  readonly maxWaitMs?: number;
}

export function createOutcomeWaits(options: OutcomeWaitsOptions): OutcomeWaits {
  const { clock, pause, isStopping, maxWaiting = MAX_WAITING_TESTS, maxWaitMs = Infinity } = options;
  const { maxWaitingOfTenant = MAX_WAITING_TESTS_OF_TENANT } = options;
  const places = createPlaces(maxWaiting, maxWaitingOfTenant);
  return {
    async until(tenantId, look, waitMs) {
      const mayWait = places.take(tenantId);
      const untilMs = clock.monotonicMs() + (mayWait ? Math.min(waitMs, maxWaitMs) : 0);
      try {
        for (;;) {
          const found = await look();
          if (found !== null) return found;
          const leftMs = untilMs - clock.monotonicMs();
          if (leftMs <= 0 || isStopping()) return null;
          await pause(Math.min(OUTCOME_POLL_MS, leftMs));
        }
      } finally {
        if (mayWait) places.give(tenantId);
      }
    },
    get waiting() {
      return places.taken;
    },
  };
}
