import {
  bouncesOf,
  type DeliveryMeta,
  decodeDelivery,
  decodeEvent,
  type EventMeta,
  type Headers,
} from '@posthorn/contracts';
import type { TrackedRecord } from '@posthorn/kafka';
import type { Slot, Work } from '../schedule/lane.ts';
import { RecordRows } from './record-rows.ts';

/** What the worker needs of the record a slot came in: to complete it, and to see that its lane was lost, and how. */
export type SourceRecord = Pick<
  TrackedRecord,
  'complete' | 'live' | 'mayStillSettle' | 'topic' | 'partition' | 'offset'
>;

/** A deliveries record as the worker holds it: one event, one try, one to 64 endpoints. */
export interface DeliveryWork extends Work {
  readonly record: SourceRecord;
  /** The partition it came in by, as a number. */
  readonly source: number;
  readonly event: EventMeta;
  readonly delivery: DeliveryMeta;
  /** Where its attempts are remembered. */
  readonly rows: RecordRows;
  /** How often it was put aside without an attempt. */
  readonly bounces: number;
  readonly headers: Headers;
  readonly payload: Buffer;
}

export type DeliverySlot = Slot<DeliveryWork>;

/** Headers are short; what their objects weigh in memory is taken as this. */
const HEADER_BYTES = 2_048;

export const weightOf = ({ value }: Pick<TrackedRecord, 'value'>): number => value.length + HEADER_BYTES;

/** The same lane of two topics is two sources. */
export const sourceOf = (lane: number, isOverflow: boolean): number => lane * 2 + (isOverflow ? 1 : 0);

/** @throws RecordFormatError naming the header that is missing or malformed. */
export function decodeWork(record: TrackedRecord, source = sourceOf(record.partition, false)): DeliveryWork {
  const { headers } = record;
  const event = decodeEvent(headers);
  const delivery = decodeDelivery(headers);
  return {
    tenantId: event.tenantId,
    endpointIds: delivery.slots,
    bytes: weightOf(record),
    record,
    source,
    event,
    delivery,
    rows: new RecordRows(event.eventId, delivery.slots, delivery.run),
    bounces: bouncesOf(headers),
    headers,
    payload: record.value,
  };
}
