import { type DeadLetterReason, deriveDeliveryId, type FailureClass } from '@posthorn/contracts';
import type { DeliverySlot } from '../intake/delivery-work.ts';
import { buildDeadLettered } from './build-entries.ts';
import { buildDeadLetter } from './build-records.ts';
import { logDeadLettered } from './log-attempt.ts';
import type { SettleEnd, Settling } from './settling.ts';

export interface GivenUp {
  readonly reason: DeadLetterReason;
  readonly failure: FailureClass;
  readonly detail: string;
  readonly lanes: readonly number[];
}

/** To the dead letters without a request: the attempt that the record asked for is not made. */
export async function giveUp(settling: Settling, slot: DeliverySlot, givenUp: GivenUp): Promise<SettleEnd> {
  const { reason, failure, detail, lanes } = givenUp;
  const { event, delivery } = slot.work;
  const nowMs = settling.clock.nowMs();
  const deliveryId = deriveDeliveryId(event.eventId, slot.endpointId, delivery.run);
  const entry = buildDeadLettered(slot, { deliveryId, reason, failure, error: detail }, nowMs);
  const record = buildDeadLetter(settling.layout, slot, {
    reason,
    failure,
    status: null,
    error: detail,
    attempts: delivery.attempt - 1,
    nowMs,
    lanes,
    traceparent: event.traceparent,
  });
  logDeadLettered(settling.log, slot, entry);
  if (!(await settling.outlet.publish(slot, record))) return 'left';
  settling.metrics.deadLettered(reason);
  return (await settling.outlet.write(entry)) ? 'settled' : 'left';
}
