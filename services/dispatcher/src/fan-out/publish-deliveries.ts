import {
  chooseTier,
  type EndpointId,
  type EventMeta,
  encodeDelivery,
  encodeWait,
  eventHeaders,
  type Headers,
  type JournalEntry,
  type Tier,
  tierPartitions,
} from '@posthorn/contracts';
import type { JournalWriter } from '@posthorn/journal';
import type { OutboundRecord, TrackedRecord } from '@posthorn/kafka';
import type { Clock } from '@posthorn/runtime';
import type { LaneSlots } from '../cut-into-records.ts';
import { writeEntry } from '../journal-entry.ts';
import type { BrokerClock } from '../release/broker-clock.ts';
import type { Send } from '../send.ts';

export interface PublishOptions {
  readonly send: Send;
  readonly journal: JournalWriter;
  readonly deliveriesTopic: string;
  readonly tiers: readonly Tier[];
  /** Partitions of `deliveries`. */
  readonly lanes: number;
  tierTopic(tier: Tier): string;
  readonly brokerClock: Pick<BrokerClock, 'nowMs'>;
  readonly clock: Clock;
}

/** Endpoints of one `dispatched` entry: far below a journal record's size, whatever a tenant has. */
const MAX_ENTRY_ENDPOINTS = 2_000;

/**
 * Publishes an event's deliveries and journals that they exist (also when there are none). Resolves when all of it is
 * acknowledged; the payload's bytes are those of the source. What is not due yet goes to the tier that fits its wait.
 * @throws Abandoned
 */
export async function publishDeliveries(
  options: PublishOptions,
  source: TrackedRecord,
  event: EventMeta,
  records: readonly LaneSlots[],
): Promise<void> {
  const headers = headersOf(source.headers, event);
  const waitMs = waitOf(options, event);
  const under: Promise<unknown>[] = records.map((each) =>
    options.send(source, {
      ...placeOf(options, headers, each, waitMs),
      key: event.tenantId,
      value: source.value,
    }),
  );
  const dueAtMs = waitMs > 0 ? event.deliverAtMs : undefined;
  for (const entry of dispatchedEntries(event, records, options.clock.nowMs(), dueAtMs)) {
    under.push(writeEntry(options.journal, source, entry));
  }
  await Promise.all(under);
}

/** The event's own; what goes to a system endpoint is the operator's, and says whose it was. */
function headersOf(source: Headers, { tenantId, sourceTenantId, revision, traceparent }: EventMeta): Headers {
  const headers = { ...eventHeaders(source), traceparent };
  if (sourceTenantId === undefined) return headers;
  return {
    ...headers,
    ce_tenant: tenantId,
    ph_revision: String(revision),
    ph_source_tenant: sourceTenantId,
  };
}

/** What is left of a scheduled event's wait, by the clock that the tiers go by; 0 for what is due. */
function waitOf({ brokerClock }: PublishOptions, { deliverAtMs }: EventMeta): number {
  return deliverAtMs === undefined ? 0 : Math.max(0, Math.round(deliverAtMs - brokerClock.nowMs()));
}

function placeOf(
  options: PublishOptions,
  event: Headers,
  { lane, slots }: LaneSlots,
  waitMs: number,
): Pick<OutboundRecord, 'topic' | 'partition' | 'headers'> {
  const headers = { ...event, ...encodeDelivery({ slots, run: 0, round: 0, attempt: 1, lane }) };
  if (waitMs === 0) return { topic: options.deliveriesTopic, partition: lane, headers };
  return {
    topic: options.tierTopic(chooseTier(options.tiers, waitMs)),
    partition: lane % tierPartitions(options.lanes),
    headers: { ...headers, ...encodeWait({ delayMs: waitMs, returnTo: 'deliveries', bounces: 0 }) },
  };
}

function dispatchedEntries(
  event: EventMeta,
  records: readonly LaneSlots[],
  atMs: number,
  dueAtMs: number | undefined,
): JournalEntry[] {
  const endpointIds = records.flatMap((each) => each.slots);
  const entries: JournalEntry[] = [];
  for (let i = 0; i === 0 || i < endpointIds.length; i += MAX_ENTRY_ENDPOINTS) {
    entries.push(dispatchedEntry(event, endpointIds.slice(i, i + MAX_ENTRY_ENDPOINTS), atMs, dueAtMs));
  }
  return entries;
}

export const dispatchedEntry = (
  event: EventMeta,
  endpointIds: readonly EndpointId[],
  atMs: number,
  dueAtMs?: number,
): JournalEntry => ({
  kind: 'dispatched',
  tenantId: event.tenantId,
  eventId: event.eventId,
  eventType: event.type,
  retentionDays: event.retentionDays,
  atMs,
  endpointIds,
  ...(dueAtMs === undefined ? {} : { dueAtMs }),
});
