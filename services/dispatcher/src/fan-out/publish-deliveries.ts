import {
  type EndpointId,
  type EventMeta,
  encodeDelivery,
  eventHeaders,
  type JournalEntry,
} from '@posthorn/contracts';
import type { JournalWriter } from '@posthorn/journal';
import type { TrackedRecord } from '@posthorn/kafka';
import type { Clock } from '@posthorn/runtime';
import { writeEntry } from '../journal-entry.ts';
import type { Send } from '../send.ts';
import type { LaneSlots } from './match-endpoints.ts';

export interface PublishOptions {
  readonly send: Send;
  readonly journal: JournalWriter;
  readonly deliveriesTopic: string;
  readonly clock: Clock;
}

/** Endpoints of one `dispatched` entry: far below a journal record's size, whatever a tenant has. */
const MAX_ENTRY_ENDPOINTS = 2_000;

/**
 * Publishes an event's deliveries and journals that they exist (also when there are none). Resolves when all of it is
 * acknowledged; the payload's bytes are those of the source.
 * @throws Abandoned
 */
export async function publishDeliveries(
  options: PublishOptions,
  source: TrackedRecord,
  event: EventMeta,
  records: readonly LaneSlots[],
): Promise<void> {
  const headers = { ...eventHeaders(source.headers), traceparent: event.traceparent };
  const under: Promise<unknown>[] = records.map(({ lane, slots }) =>
    options.send(source, {
      topic: options.deliveriesTopic,
      partition: lane,
      key: event.tenantId,
      value: source.value,
      headers: { ...headers, ...encodeDelivery({ slots, run: 0, round: 0, attempt: 1, lane }) },
    }),
  );
  for (const entry of dispatchedEntries(event, records, options.clock.nowMs())) {
    under.push(writeEntry(options.journal, source, entry));
  }
  await Promise.all(under);
}

function dispatchedEntries(event: EventMeta, records: readonly LaneSlots[], atMs: number): JournalEntry[] {
  const endpointIds = records.flatMap((each) => each.slots);
  const entries: JournalEntry[] = [];
  for (let i = 0; i === 0 || i < endpointIds.length; i += MAX_ENTRY_ENDPOINTS) {
    entries.push(dispatchedEntry(event, endpointIds.slice(i, i + MAX_ENTRY_ENDPOINTS), atMs));
  }
  return entries;
}

const dispatchedEntry = (
  event: EventMeta,
  endpointIds: readonly EndpointId[],
  atMs: number,
): JournalEntry => ({
  kind: 'dispatched',
  tenantId: event.tenantId,
  eventId: event.eventId,
  eventType: event.type,
  retentionDays: event.retentionDays,
  atMs,
  endpointIds,
});
