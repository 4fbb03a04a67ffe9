import { chooseTier, type DeliveryState, lookAheadMs, type Tier } from '@posthorn/contracts';
import type { DeliveryRow, OpenCircuit, TenantLoad } from '@posthorn/db';
import type { Static } from 'typebox';
import type { Waiting } from './schema.ts';

const UNSETTLED: readonly DeliveryState[] = ['scheduled', 'pending', 'processing'];
export const isWaiting = ({ state }: Pick<DeliveryRow, 'state'>): boolean => UNSETTLED.includes(state);

export interface Obstacles {
  readonly load: TenantLoad;
  readonly circuit: OpenCircuit | null;
  /** Null: there is no such webhook any more. */
  readonly webhookState: string | null;
}

export function describeWaiting(
  delivery: Pick<DeliveryRow, 'nextDueAt' | 'updatedAt'>,
  { load, circuit, webhookState }: Obstacles,
  { tiers, nowMs }: { readonly tiers: readonly Tier[]; readonly nowMs: number },
): Static<typeof Waiting> {
  const dueAtMs = delivery.nextDueAt?.getTime() ?? null;
  return {
    next_due_at: delivery.nextDueAt?.toISOString() ?? null,
    tier: dueAtMs === null ? null : tierAt(tiers, { sinceMs: delivery.updatedAt.getTime(), dueAtMs, nowMs }),
    overflow_records: load.overflow,
    in_flight: load.inFlight,
    queued: load.queued,
    circuit: { open: circuit !== null, next_probe_at: circuit?.nextProbeAt.toISOString() ?? null },
    webhook_state: webhookState,
  };
}

/**
 * The tier that holds a wait now: it is walked tier by tier, the longest that fits and then the rest, so where it is
 * follows from when it began.
 */
export function tierAt(
  tiers: readonly Tier[],
  { sinceMs, dueAtMs, nowMs }: { readonly sinceMs: number; readonly dueAtMs: number; readonly nowMs: number },
): string | null {
  if (nowMs >= dueAtMs) return null;
  for (let atMs = sinceMs; ; ) {
    const tier = chooseTier(tiers, dueAtMs - atMs);
    // What is left within the look-ahead is waited out where it is.
    const releasedMs = atMs + tier.delayMs;
    if (releasedMs > nowMs || releasedMs + lookAheadMs(tier) >= dueAtMs) return tier.name;
    atMs = releasedMs;
  }
}
