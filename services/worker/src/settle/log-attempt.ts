import type { DeadLetteredEntry, DeadLetterReason, DeliveryId } from '@posthorn/contracts';
import { type Logger, traceIdOf } from '@posthorn/runtime';
import type { DeliverySlot } from '../intake/delivery-work.ts';
import type { CancelReason, Made } from './made.ts';

export type Verdict =
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'retrying'; readonly nextDueAtMs: number }
  | { readonly kind: 'dead_lettered'; readonly reason: DeadLetterReason };

/** The one line of an attempt. */
export function logAttempt(log: Logger, slot: DeliverySlot, made: Made, verdict: Verdict): void {
  if (!log.isLevelEnabled('info')) return;
  const { outcome } = made;
  const attempt = slot.work.delivery.attempt;
  const fields = {
    ...subject(slot, made.deliveryId, made.traceparent),
    attempt,
    status: outcome.status,
    duration_ms: Math.round(made.durationMs),
  };
  if (outcome.kind === 'success' || verdict.kind === 'succeeded') {
    log.info(fields, 'delivery succeeded');
    return;
  }
  const failure = { failure: outcome.failure, error: outcome.detail };
  if (verdict.kind === 'retrying') {
    const next_due_at = new Date(verdict.nextDueAtMs).toISOString();
    log.info({ ...fields, ...failure, next_due_at }, 'delivery retrying');
  } else {
    log.info({ ...fields, ...failure, reason: verdict.reason, attempts: attempt }, 'delivery dead-lettered');
  }
}

/** Of a delivery that was given up without a request. */
export function logDeadLettered(log: Logger, slot: DeliverySlot, entry: DeadLetteredEntry): void {
  const { deliveryId, reason, failure, error, attempt } = entry;
  const fields = subject(slot, deliveryId, slot.work.event.traceparent);
  log.info({ ...fields, failure, error, reason, attempts: attempt - 1 }, 'delivery dead-lettered');
}

export function logCancelled(
  log: Logger,
  slot: DeliverySlot,
  deliveryId: DeliveryId,
  reason: CancelReason,
): void {
  log.info({ ...subject(slot, deliveryId, slot.work.event.traceparent), reason }, 'delivery cancelled');
}

function subject(slot: DeliverySlot, deliveryId: DeliveryId, traceparent: string) {
  return {
    tenant_id: slot.work.tenantId,
    event_id: slot.work.event.eventId,
    delivery_id: deliveryId,
    webhook_id: slot.endpointId,
    trace_id: traceIdOf(traceparent),
  };
}
