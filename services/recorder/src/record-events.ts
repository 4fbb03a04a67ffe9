import { acceptedAtMs } from '@posthorn/contracts';
import { type EventColumns, recordDay } from '@posthorn/db';
import type { EventItem } from './consume/read-record.ts';
import { retentionClass } from './retention-class.ts';
import { storable, storableJson } from './storable.ts';

export function emptyEvents(): EventColumns {
  return {
    tenantId: [],
    eventId: [],
    type: [],
    labels: [],
    contentType: [],
    payload: [],
    occurredAtMs: [],
    acceptedAtMs: [],
    revision: [],
    retentionDays: [],
    clientEventId: [],
    day: [],
  };
}

export function addEvent(rows: EventColumns, { event, labels, payload }: EventItem): void {
  const atMs = acceptedAtMs(event.eventId);
  rows.tenantId.push(event.tenantId);
  rows.eventId.push(event.eventId);
  rows.type.push(event.type);
  rows.labels.push(storableJson(labels));
  rows.contentType.push(storable(event.contentType));
  rows.payload.push(payload);
  const occurredAtMs = Date.parse(event.occurredAt);
  rows.occurredAtMs.push(Number.isNaN(occurredAtMs) ? atMs : occurredAtMs);
  rows.acceptedAtMs.push(atMs);
  rows.revision.push(event.revision);
  rows.retentionDays.push(retentionClass(event.retentionDays));
  rows.clientEventId.push(event.clientEventId ?? null);
  rows.day.push(recordDay(event.eventId));
}
