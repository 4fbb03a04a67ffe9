import type { Lane, Work } from './lane.ts';
import type { TenantQueue } from './queues.ts';
import type { TenantLoad, UnderWay } from './scheduler.ts';

export function* underWayIn<W extends Work>(
  lane: Lane,
  tenants: Iterable<TenantQueue<W>>,
  nowMs: number,
): Generator<UnderWay<W>, void> {
  for (const { held, inFlight, settling } of tenants) {
    for (const slot of held)
      if (slot.parcel.lane === lane) yield { slot, heldForMs: Math.max(0, slot.heldUntilMs - nowMs) };
    for (const started of [inFlight, settling])
      for (const slot of started) if (slot.parcel.lane === lane) yield { slot, heldForMs: null };
  }
}

export function* loadsOf<W extends Work>(tenants: Iterable<TenantQueue<W>>): Generator<TenantLoad, void> {
  for (const { tenantId, lane, shares, inFlight, held, settling } of tenants) {
    let queued = -held.length;
    for (const { slots } of shares) queued += slots;
    const load = { inFlight: inFlight.length + held.length, queued, settling: settling.length };
    if (load.inFlight + load.queued + load.settling > 0) yield { tenantId, lane, ...load };
  }
}
