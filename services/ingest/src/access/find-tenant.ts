import { acceptedAtMs, isDeliveryId, isEventId } from '@posthorn/contracts';
import type { Clock } from '@posthorn/runtime';
import type { Store } from '../store.ts';
import type { Caller } from './caller.ts';

interface Finding {
  readonly store: Pick<Store, 'findEventTenant' | 'findDeliveryTenant'>;
  readonly clock: Clock;
}

/** Ids are minted by clocks of ours that differ a little; what claims to be from further ahead was never minted. */
const MAX_CLOCK_LEAD_MS = 3_600_000;

export const couldBe = (
  id: string,
  valid: (id: string) => boolean,
  { clock }: Pick<Finding, 'clock'>,
): boolean => valid(id) && acceptedAtMs(id) < clock.nowMs() + MAX_CLOCK_LEAD_MS;

/**
 * The tenant in whose name an event is looked up: the key's own, so that another tenant's is as absent as one that
 * never was; for an operator the event's. Null when there can be no such event.
 */
export async function findTenantOfEvent(
  finding: Finding,
  caller: Caller,
  eventId: string,
): Promise<string | null> {
  if (!couldBe(eventId, isEventId, finding)) return null;
  return caller.tenantId ?? finding.store.findEventTenant(eventId);
}

export async function findTenantOfDelivery(
  finding: Finding,
  caller: Caller,
  deliveryId: string,
): Promise<string | null> {
  if (!couldBe(deliveryId, isDeliveryId, finding)) return null;
  return caller.tenantId ?? finding.store.findDeliveryTenant(deliveryId);
}
