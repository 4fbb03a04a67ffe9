import { type DeadLetterReason, type JournalEntry, putAsideDelayMs } from '@posthorn/contracts';
import type { OutboundRecord } from '@posthorn/kafka';
import type { Clock, Logger } from '@posthorn/runtime';
import type { DeliverySlot } from '../intake/delivery-work.ts';
import type { WorkerMetrics } from '../metrics.ts';
import type { Acknowledger } from './acknowledge.ts';
import { buildAttempted, buildCancelled } from './build-entries.ts';
import { buildAside, buildDeadLetter, buildRetry, type RecordLayout } from './build-records.ts';
import { logAttempt, logCancelled } from './log-attempt.ts';
import type { CancelReason, Made } from './made.ts';
import { decideNext, type Failure, type RetryPolicy } from './retry-policy.ts';

export interface SettleOptions {
  readonly layout: RecordLayout;
  readonly policy: RetryPolicy;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: WorkerMetrics;
  readonly acknowledger: Pick<Acknowledger, 'untilAcknowledged'>;
  /** Resolves when the record is acknowledged by all in-sync replicas. */
  produce(record: OutboundRecord): Promise<unknown>;
  /** Resolves when the batch that holds the entry is acknowledged. */
  journal(entry: JournalEntry): Promise<void>;
}

/** What came of a slot. `aside`: it could not be tried, and no attempt is burnt. */
export type Conclusion =
  | { readonly kind: 'attempted'; readonly made: Made }
  | { readonly kind: 'cancelled'; readonly reason: CancelReason }
  | { readonly kind: 'aside'; readonly lanes: readonly number[] | null };

/**
 * Ends a slot. It is completed only after all that it led to is acknowledged: first the record that carries it on (a
 * retry, a dead letter), then the journal, then the slot. Whatever fails in between leaves it unfinished, and it is
 * tried again: at least once.
 */
export type Settle = (slot: DeliverySlot, conclusion: Conclusion) => Promise<void>;

export function createSettle(options: SettleOptions): Settle {
  const { clock, metrics } = options;
  return async (slot, conclusion) => {
    const endedAtMs = clock.monotonicMs();
    const done = await conclude(options, slot, conclusion);
    if (done) slot.work.record.complete(slot.index);
    metrics.settled(clock.monotonicMs() - endedAtMs);
  };
}

function conclude(options: SettleOptions, slot: DeliverySlot, conclusion: Conclusion): Promise<boolean> {
  switch (conclusion.kind) {
    case 'attempted':
      return concludeAttempt(options, slot, conclusion.made);
    case 'cancelled':
      return cancel(options, slot, conclusion.reason);
    case 'aside':
      return putAside(options, slot, conclusion.lanes);
    default:
      return conclusion satisfies never;
  }
}

function concludeAttempt(options: SettleOptions, slot: DeliverySlot, made: Made): Promise<boolean> {
  const { outcome } = made;
  if (outcome.kind === 'success') {
    logAttempt(options.log, slot, made, { kind: 'succeeded' });
    const nowMs = options.clock.nowMs();
    return write(options, buildAttempted(slot, made, { state: 'success', nextDueAtMs: null, nowMs }));
  }
  // Whoever owns the lane now has this slot unfinished and tries it: a retry from here would fork the delivery.
  if (!slot.work.record.live) {
    logAttempt(options.log, slot, made, { kind: 'retrying', nextDueAtMs: options.clock.nowMs() });
    return leaveToOwner(options, slot, made);
  }
  const { run, round, attempt } = slot.work.delivery;
  const failed = { deliveryId: made.deliveryId, run, round, attempt, scheduleMs: made.scheduleMs };
  const step = decideNext(options.policy, failed, outcome);
  return step.kind === 'retry'
    ? retry(options, slot, made, step.delayMs)
    : bury(options, slot, made, outcome, step.reason);
}

async function retry(
  options: SettleOptions,
  slot: DeliverySlot,
  made: Made,
  delayMs: number,
): Promise<boolean> {
  const nowMs = options.clock.nowMs();
  const nextDueAtMs = nowMs + delayMs;
  const { record, tier } = buildRetry(options.layout, slot, made, delayMs);
  logAttempt(options.log, slot, made, { kind: 'retrying', nextDueAtMs });
  if (!(await publish(options, slot, record))) return leaveToOwner(options, slot, made);
  options.metrics.retried(tier.name);
  return write(options, buildAttempted(slot, made, { state: 'processing', nextDueAtMs, nowMs }));
}

async function bury(
  options: SettleOptions,
  slot: DeliverySlot,
  made: Made,
  failure: Failure,
  reason: DeadLetterReason,
): Promise<boolean> {
  const nowMs = options.clock.nowMs();
  logAttempt(options.log, slot, made, { kind: 'dead_lettered', reason });
  const record = buildDeadLetter(options.layout, slot, made, { failure, reason, nowMs });
  if (!(await publish(options, slot, record))) return leaveToOwner(options, slot, made);
  options.metrics.deadLettered(reason);
  return write(options, buildAttempted(slot, made, { state: 'failed', nextDueAtMs: null, nowMs }));
}

async function leaveToOwner(options: SettleOptions, slot: DeliverySlot, made: Made): Promise<boolean> {
  const nowMs = options.clock.nowMs();
  await write(options, buildAttempted(slot, made, { state: 'processing', nextDueAtMs: null, nowMs }));
  return false;
}

function cancel(options: SettleOptions, slot: DeliverySlot, reason: CancelReason): Promise<boolean> {
  const entry = buildCancelled(slot, reason, options.clock.nowMs());
  logCancelled(options.log, slot, entry.deliveryId, reason);
  options.metrics.cancelled(reason);
  return write(options, entry);
}

async function putAside(
  options: SettleOptions,
  slot: DeliverySlot,
  lanes: readonly number[] | null,
): Promise<boolean> {
  const { record } = buildAside(options.layout, slot, putAsideDelayMs(slot.work.bounces), lanes);
  if (!(await publish(options, slot, record))) return false;
  options.metrics.putAside();
  return true;
}

function publish(options: SettleOptions, slot: DeliverySlot, record: OutboundRecord): Promise<boolean> {
  const source = slot.work.record;
  return options.acknowledger.untilAcknowledged(
    () => options.produce(record),
    () => source.live,
  );
}

function write(options: SettleOptions, entry: JournalEntry): Promise<boolean> {
  return options.acknowledger.untilAcknowledged(() => options.journal(entry));
}
