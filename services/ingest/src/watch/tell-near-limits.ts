import { mintEventId } from '@posthorn/contracts';
import type { NewOperationalEvent } from '@posthorn/db';
import type { Clock, Logger } from '@posthorn/runtime';
import { NEAR_PERCENT, type NearLimit } from '../accept/rate-window.ts';

export const RATE_QUOTA = 'max_events_per_sec';
const EVENT_TYPE = 'posthorn.quota.warning';

export interface NearLimitsOptions {
  /** Keeps those that are to be told about: the same tenant again within minutes, or from another replica, is not. */
  readonly keep: (quota: string, events: readonly NewOperationalEvent[]) => Promise<number>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
}

/** A tenant that stays near his limit is noted again after this long: until then nobody is asked. */
export const NOTE_AGAIN_MS = 60_000;
export const MAX_NOTED_TENANTS = 10_000;

/**
 * Tells operators about tenants near their event rate, beside the requests that bring them there. At most one
 * statement is under way; what it cannot keep is told when the tenant is seen again.
 */
export interface NearLimits {
  tell(near: NearLimit): void;
  /** Resolves when nothing waits to be kept. */
  settled(): Promise<void>;
}

export function createNearLimits({ keep, clock, log }: NearLimitsOptions): NearLimits {
  const notedAtMs = new Map<string, number>();
  let waiting: NearLimit[] = [];
  let keeping: Promise<void> | undefined;

  async function keepAll(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await keep(
          RATE_QUOTA,
          batch.map((near) => warning(near, clock.nowMs())),
        );
      } catch (error) {
        log.warn({ err: error, tenants: batch.length }, 'warnings of event rates were not kept');
        for (const { tenantId } of batch) notedAtMs.delete(tenantId);
        return;
      }
    }
  }

  return {
    tell(near) {
      const nowMs = clock.monotonicMs();
      const noted = notedAtMs.get(near.tenantId);
      if (noted !== undefined && nowMs - noted < NOTE_AGAIN_MS) return;
      if (notedAtMs.size >= MAX_NOTED_TENANTS) notedAtMs.clear();
      notedAtMs.set(near.tenantId, nowMs);
      waiting.push(near);
      keeping ??= keepAll().finally(() => {
        keeping = undefined;
      });
    },
    settled: async () => keeping,
  };
}

function warning({ tenantId, limit, used }: NearLimit, nowMs: number): NewOperationalEvent {
  const eventId = mintEventId(nowMs);
  return {
    eventId,
    type: EVENT_TYPE,
    dedupeKey: `${EVENT_TYPE} ${tenantId} ${RATE_QUOTA} ${NEAR_PERCENT} ${eventId}`,
    tenantId,
    payload: { tenant_id: tenantId, quota: RATE_QUOTA, percent: NEAR_PERCENT, limit, count: used },
  };
}
