import { deriveDeliveryId, standingOrder } from '@posthorn/contracts';
import { type DeadLetterColumns, recordDay } from '@posthorn/db';
import type { DeadLetterItem } from './consume/read-record.ts';
import { retentionClass } from './retention-class.ts';
import { storable } from './storable.ts';

/** Dead letters of a batch, each delivery once: the one with the greatest standing, of equal ones the last record. */
export interface DeadLetterRows {
  readonly columns: DeadLetterColumns;
  readonly places: Map<string, number>;
}

export function emptyDeadLetters(): DeadLetterRows {
  return {
    places: new Map(),
    columns: {
      deliveryId: [],
      tenantId: [],
      endpointId: [],
      eventId: [],
      eventType: [],
      run: [],
      round: [],
      standing: [],
      reason: [],
      lastFailure: [],
      lastStatus: [],
      lastError: [],
      attempts: [],
      failedAtMs: [],
      topic: [],
      partition: [],
      offset: [],
      retentionDays: [],
      day: [],
    },
  };
}

export function addDeadLetter({ columns, places }: DeadLetterRows, item: DeadLetterItem): void {
  const { event, delivery, deadLetter } = item;
  const endpointId = delivery.slots[0]!;
  const deliveryId = deriveDeliveryId(event.eventId, endpointId, delivery.run);
  const standing = standingOrder({ state: 'failed', round: delivery.round, attempt: deadLetter.attempts });
  const present = places.get(deliveryId);
  if (present !== undefined && !outranks(item, standing, columns, present)) return;
  const place = present ?? columns.deliveryId.length;
  places.set(deliveryId, place);
  columns.deliveryId[place] = deliveryId;
  columns.tenantId[place] = event.tenantId;
  columns.endpointId[place] = endpointId;
  columns.eventId[place] = event.eventId;
  columns.eventType[place] = event.type;
  columns.run[place] = delivery.run;
  columns.round[place] = delivery.round;
  columns.standing[place] = standing;
  columns.reason[place] = deadLetter.reason;
  columns.lastFailure[place] = deadLetter.lastFailure;
  columns.lastStatus[place] = deadLetter.lastStatus;
  columns.lastError[place] = storable(deadLetter.lastError);
  columns.attempts[place] = deadLetter.attempts;
  columns.failedAtMs[place] = deadLetter.failedAtMs;
  columns.topic[place] = item.topic;
  columns.partition[place] = item.partition;
  columns.offset[place] = item.offset;
  columns.retentionDays[place] = retentionClass(event.retentionDays);
  columns.day[place] = recordDay(event.eventId);
}

/** The same order as the `where` of `recordDeadLetters`. */
function outranks(
  item: DeadLetterItem,
  standing: number,
  columns: DeadLetterColumns,
  place: number,
): boolean {
  if (standing !== columns.standing[place]!) return standing > columns.standing[place]!;
  const failedAtMs = columns.failedAtMs[place]!;
  if (item.deadLetter.failedAtMs !== failedAtMs) return item.deadLetter.failedAtMs > failedAtMs;
  if (item.partition !== columns.partition[place]!) return item.partition > columns.partition[place]!;
  return item.offset > columns.offset[place]!;
}
