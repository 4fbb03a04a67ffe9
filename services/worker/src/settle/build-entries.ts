import {
  type AttemptedEntry,
  type CancelledEntry,
  type DeadLetteredEntry,
  type DeliveryId,
  deriveDeliveryId,
} from '@posthorn/contracts';
import { traceIdOf } from '@posthorn/runtime';
import type { DeliverySlot } from '../intake/delivery-work.ts';
import { keepHeaders } from './keep-headers.ts';
import type { CancelReason, Made } from './made.ts';

const MAX_SUCCESS_BODY_BYTES = 1_024;
const MAX_FAILURE_BODY_BYTES = 16 * 1_024;
const MAX_ERROR_CHARS = 500;

export interface Standing {
  readonly state: AttemptedEntry['state'];
  readonly nextDueAtMs: number | null;
  readonly nowMs: number;
}

export function buildAttempted(slot: DeliverySlot, made: Made, standing: Standing): AttemptedEntry {
  const { outcome } = made;
  const failed = outcome.kind === 'failure';
  return {
    kind: 'attempted',
    ...subject(slot, made.deliveryId, standing.nowMs),
    attemptId: made.attemptId,
    state: standing.state,
    failure: failed ? outcome.failure : null,
    status: outcome.status,
    error: failed ? outcome.detail.slice(0, MAX_ERROR_CHARS) : null,
    durationMs: Math.round(made.durationMs),
    nextDueAtMs: standing.nextDueAtMs,
    responseBody: encodeBody(made.body, failed ? MAX_FAILURE_BODY_BYTES : MAX_SUCCESS_BODY_BYTES),
    traceId: traceIdOf(made.traceparent),
    revision: made.revision,
    ...keepPhases(made.timing),
    ...keepHeaders(made.headers, outcome.kind),
    ...(made.urlHash === undefined ? {} : { urlHash: made.urlHash }),
  };
}

export function buildCancelled(slot: DeliverySlot, reason: CancelReason, nowMs: number): CancelledEntry {
  const deliveryId = deriveDeliveryId(slot.work.event.eventId, slot.endpointId, slot.work.delivery.run);
  return { kind: 'cancelled', ...subject(slot, deliveryId, nowMs), reason };
}

/** Of a delivery that went to the dead letters without a request. */
export function buildDeadLettered(
  slot: DeliverySlot,
  dead: Pick<DeadLetteredEntry, 'deliveryId' | 'reason' | 'failure' | 'error'>,
  nowMs: number,
): DeadLetteredEntry {
  const { deliveryId, reason, failure, error } = dead;
  return { kind: 'dead_lettered', ...subject(slot, deliveryId, nowMs), reason, failure, error };
}

function subject(slot: DeliverySlot, deliveryId: DeliveryId, nowMs: number) {
  const { event, delivery } = slot.work;
  const { run, round, attempt } = delivery;
  return {
    tenantId: event.tenantId,
    eventId: event.eventId,
    eventType: event.type,
    retentionDays: event.retentionDays,
    atMs: nowMs,
    deliveryId,
    endpointId: slot.endpointId,
    run,
    round,
    attempt,
  };
}

/** On the hot path, a connection that is open already, this is one number. */
function keepPhases(timing: Made['timing']): Pick<AttemptedEntry, 'phases'> {
  if (timing === null) return {};
  const { dnsMs, connectMs, tlsMs, firstByteMs } = timing;
  const phases = {
    ...(dnsMs === null ? {} : { dnsMs: Math.round(dnsMs) }),
    ...(connectMs === null ? {} : { connectMs: Math.round(connectMs) }),
    ...(tlsMs === null ? {} : { tlsMs: Math.round(tlsMs) }),
    ...(firstByteMs === null ? {} : { firstByteMs: Math.round(firstByteMs) }),
  };
  return { phases };
}

function encodeBody(body: Buffer, maxBytes: number): string | null {
  if (body.length === 0) return null;
  return body.toString('base64', 0, Math.min(body.length, maxBytes));
}
