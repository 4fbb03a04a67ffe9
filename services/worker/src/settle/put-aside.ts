import { effortOf, putAsideDelayMs } from '@posthorn/contracts';
import type { DeliverySlot } from '../intake/delivery-work.ts';
import { type Aside, buildAside } from './build-records.ts';
import { giveUp } from './give-up.ts';
import type { CircuitOpen, Conclusion } from './made.ts';
import type { SettleEnd, Settling } from './settling.ts';
import { circuitBudgetMs, circuitWaitMs, pauseWaitMs } from './wait-policy.ts';

/** A slot that cannot be tried now goes to a tier and comes back; no attempt is burnt, and no budget. */
export function putAside(
  settling: Settling,
  slot: DeliverySlot,
  { reason, lanes }: Extract<Conclusion, { kind: 'aside' }>,
): Promise<SettleEnd> {
  const { bounces } = slot.work;
  const delayMs =
    reason === 'paused' ? pauseWaitMs(settling.policy, bounces, keyOf(slot)) : putAsideDelayMs(bounces);
  return move(settling, slot, reason, { delayMs, lanes });
}

/** The same for one whose endpoint's circuit is open, on a budget of its own, whose end is a dead letter. */
export function waitForCircuit(
  settling: Settling,
  slot: DeliverySlot,
  circuit: CircuitOpen,
): Promise<SettleEnd> {
  const { policy } = settling;
  const { spentMs, circuitMs } = effortOf(slot.work.headers);
  const budgetMs = circuitBudgetMs(policy, circuit);
  const { probeInMs, lanes } = circuit;
  const delayMs = circuitWaitMs(policy, { probeInMs, waitedMs: circuitMs, budgetMs, key: keyOf(slot) });
  if (delayMs === null) {
    const detail = `the circuit of the endpoint was open for ${Math.round(budgetMs / 1_000)} s of waiting`;
    return giveUp(settling, slot, { reason: 'circuit_open', failure: 'circuit_open', detail, lanes });
  }
  const effort = { spentMs, circuitMs: circuitMs + delayMs };
  return move(settling, slot, 'circuit', { delayMs, lanes, effort });
}

async function move(
  settling: Settling,
  slot: DeliverySlot,
  reason: Parameters<Settling['metrics']['putAside']>[0],
  aside: Aside,
): Promise<SettleEnd> {
  const { record } = buildAside(settling.layout, slot, aside);
  // Before it goes out: it may be back before the acknowledgement is.
  settling.repeats.forget(slot.work, slot.index);
  if (!(await settling.outlet.publish(slot, record))) return 'left';
  settling.metrics.putAside(reason);
  return 'moved';
}

const keyOf = (slot: DeliverySlot): string =>
  `${slot.work.event.eventId}|${slot.endpointId}|${slot.work.bounces}`;
