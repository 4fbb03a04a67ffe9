import { acceptedAtMs } from '@posthorn/contracts';
import type { EventColumns } from '@posthorn/db';
import type { EventItem } from './consume/read-record.ts';
import { dayNumber, retentionClass } from './retention-class.ts';

export function emptyEvents(): EventColumns {
  return {
    tenantId: [],
    eventId: [],
    type: [],
    labels: [],
    contentType: [],
    payload: [],
    occurredAt: [],
    acceptedAtMs: [],
    revision: [],
    retentionDays: [],
    day: [],
  };
}

export function addEvent(rows: EventColumns, { event, labels, payload }: EventItem): void {
  const atMs = acceptedAtMs(event.eventId);
  rows.tenantId.push(event.tenantId);
  rows.eventId.push(event.eventId);
  rows.type.push(event.type);
  rows.labels.push(labels);
  rows.contentType.push(event.contentType);
  rows.payload.push(payload);
  rows.occurredAt.push(event.occurredAt);
  rows.acceptedAtMs.push(atMs);
  rows.revision.push(event.revision);
  rows.retentionDays.push(retentionClass(event.retentionDays));
  rows.day.push(dayNumber(atMs));
}
