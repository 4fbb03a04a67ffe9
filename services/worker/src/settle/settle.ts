import { type DeadLetterReason, effortOf } from '@posthorn/contracts';
import { failpoint } from '@posthorn/runtime';
import type { DeliverySlot } from '../intake/delivery-work.ts';
import { buildAttempted, buildCancelled } from './build-entries.ts';
import { buildDeadLetter, buildRetry } from './build-records.ts';
import { giveUp } from './give-up.ts';
import { logAttempt, logCancelled } from './log-attempt.ts';
import type { CancelReason, Conclusion, Made } from './made.ts';
import { createOutlet, isOurs } from './outlet.ts';
import { putAside, waitForCircuit } from './put-aside.ts';
import { decideNext, type Failure } from './retry-policy.ts';
import type { SettleEnd, SettleOptions, Settling } from './settling.ts';

/**
 * Ends a slot. It is completed only after all that it led to is acknowledged: first the record that carries it on (a
 * retry, a dead letter), then the journal, then the slot. Whatever fails in between leaves it unfinished, and it is
 * tried again: at least once. A lane that was handed over meanwhile changes nothing as long as the new owner waits for
 * us: then the last step is to tell him.
 */
export type Settle = (slot: DeliverySlot, conclusion: Conclusion) => Promise<void>;

export function createSettle(options: SettleOptions): Settle {
  const { clock, metrics, repeats } = options;
  const settling: Settling = { ...options, outlet: createOutlet(options) };
  return async (slot, conclusion) => {
    const endedAtMs = clock.monotonicMs();
    const end = await conclude(settling, slot, conclusion);
    if (end === 'settled') repeats.settled(slot.work, slot.index, hasSucceeded(conclusion));
    if (end !== 'left') {
      if (slot.work.record.live) slot.work.record.complete(slot.index);
      else await settling.outlet.announce(slot);
    }
    metrics.settled(clock.monotonicMs() - endedAtMs);
  };
}

const hasSucceeded = (conclusion: Conclusion): boolean =>
  conclusion.kind === 'attempted' && conclusion.made.outcome.kind === 'success';

function conclude(settling: Settling, slot: DeliverySlot, conclusion: Conclusion): Promise<SettleEnd> {
  switch (conclusion.kind) {
    case 'attempted':
      return concludeAttempt(settling, slot, conclusion.made);
    case 'cancelled':
      return cancel(settling, slot, conclusion.reason);
    case 'aside':
      return putAside(settling, slot, conclusion);
    case 'circuit_open':
      return waitForCircuit(settling, slot, conclusion);
    case 'gone':
      return giveUp(settling, slot, { ...conclusion, reason: 'endpoint_gone', failure: 'gone' });
    default:
      return conclusion satisfies never;
  }
}

function concludeAttempt(settling: Settling, slot: DeliverySlot, made: Made): Promise<SettleEnd> {
  const { outcome } = made;
  if (outcome.kind === 'success') {
    logAttempt(settling.log, slot, made, { kind: 'succeeded' });
    return record(settling, slot, made, 'success');
  }
  // Whoever owns the lane now has this slot unfinished and tries it: a retry from here would fork the delivery.
  if (!isOurs(slot)) {
    logAttempt(settling.log, slot, made, { kind: 'retrying', nextDueAtMs: settling.clock.nowMs() });
    return leaveToOwner(settling, slot, made);
  }
  const { deliveryId, scheduleMs, maxRetryMs } = made;
  const { run, round, attempt } = slot.work.delivery;
  const spentMs = effortOf(slot.work.headers).spentMs + made.durationMs;
  const failed = { deliveryId, run, round, attempt, scheduleMs, maxRetryMs, spentMs };
  const step = decideNext(settling.policy, failed, outcome);
  return step.kind === 'retry'
    ? retry(settling, slot, made, step.delayMs)
    : bury(settling, slot, made, outcome, step.reason);
}

async function retry(
  settling: Settling,
  slot: DeliverySlot,
  made: Made,
  delayMs: number,
): Promise<SettleEnd> {
  const nextDueAtMs = settling.clock.nowMs() + delayMs;
  const { record: next, tier } = buildRetry(settling.layout, slot, made, delayMs);
  logAttempt(settling.log, slot, made, { kind: 'retrying', nextDueAtMs });
  if (!(await settling.outlet.publish(slot, next))) return leaveToOwner(settling, slot, made);
  failpoint('after-retry-publish');
  settling.metrics.retried(tier.name);
  return record(settling, slot, made, 'processing', nextDueAtMs);
}

async function bury(
  settling: Settling,
  slot: DeliverySlot,
  made: Made,
  { failure, status, detail }: Failure,
  reason: DeadLetterReason,
): Promise<SettleEnd> {
  const nowMs = settling.clock.nowMs();
  const { lanes, traceparent } = made;
  logAttempt(settling.log, slot, made, { kind: 'dead_lettered', reason });
  const attempts = slot.work.delivery.attempt;
  const dead = { reason, failure, status, error: detail, attempts, nowMs, lanes, traceparent };
  if (!(await settling.outlet.publish(slot, buildDeadLetter(settling.layout, slot, dead)))) {
    return leaveToOwner(settling, slot, made);
  }
  failpoint('after-dead-letter-publish');
  settling.metrics.deadLettered(reason);
  return record(settling, slot, made, 'failed');
}

async function leaveToOwner(settling: Settling, slot: DeliverySlot, made: Made): Promise<SettleEnd> {
  await record(settling, slot, made, 'processing');
  return 'left';
}

async function record(
  { outlet, clock }: Settling,
  slot: DeliverySlot,
  made: Made,
  state: 'success' | 'processing' | 'failed',
  nextDueAtMs: number | null = null,
): Promise<SettleEnd> {
  const entry = buildAttempted(slot, made, { state, nextDueAtMs, nowMs: clock.nowMs() });
  failpoint('before-journal');
  const isWritten = await outlet.write(entry);
  failpoint('after-journal');
  return isWritten ? 'settled' : 'left';
}

async function cancel(settling: Settling, slot: DeliverySlot, reason: CancelReason): Promise<SettleEnd> {
  const entry = buildCancelled(slot, reason, settling.clock.nowMs());
  logCancelled(settling.log, slot, entry.deliveryId, reason);
  settling.metrics.cancelled(reason);
  return (await settling.outlet.write(entry)) ? 'settled' : 'left';
}
