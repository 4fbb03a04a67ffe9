import {
  chooseTier,
  type DeadLetterReason,
  type EffortMeta,
  effortOf,
  encodeDeadLetter,
  encodeDelivery,
  encodeEffort,
  encodeSettled,
  encodeWait,
  eventHeaders,
  type FailureClass,
  type Headers,
  laneOf,
  MAC_HEADER,
  recordMac,
  type SettledMeta,
  type Tier,
  type TopicNames,
  tenantPartition,
  tierPartitions,
} from '@posthorn/contracts';
import type { OutboundRecord } from '@posthorn/kafka';
import type { DeliverySlot } from '../intake/delivery-work.ts';
import type { Made } from './made.ts';

/** Where a slot's records go. */
export interface RecordLayout {
  readonly topics: TopicNames;
  readonly tiers: readonly Tier[];
  /** Partitions of `deliveries`. */
  readonly lanes: number;
  /** Partitions of `dead-letters`. */
  readonly deadLetterPartitions: number;
  /** What dead letters are authenticated with. */
  readonly macKey: Uint8Array;
}

export interface TieredRecord {
  readonly record: OutboundRecord;
  readonly tier: Tier;
}

/** The next attempt of a slot, on the tier where its wait begins. */
export function buildRetry(
  layout: RecordLayout,
  slot: DeliverySlot,
  made: Made,
  delayMs: number,
): TieredRecord {
  const { spentMs, circuitMs } = effortOf(slot.work.headers);
  return onTier(layout, slot, {
    lane: laneOf(slot.endpointId, made.lanes),
    attempt: slot.work.delivery.attempt + 1,
    delayMs,
    bounces: 0,
    effort: { spentMs: spentMs + made.durationMs + delayMs, circuitMs },
    traceparent: made.traceparent,
  });
}

/** A wait without an attempt. `lanes` is null when the tenant is not known; the effort when it costs no budget. */
export interface Aside {
  readonly delayMs: number;
  readonly lanes: readonly number[] | null;
  readonly effort?: EffortMeta;
}

/** The same attempt of a slot, later: it could not be tried. */
export function buildAside(layout: RecordLayout, slot: DeliverySlot, aside: Aside): TieredRecord {
  const { event, delivery, bounces, record, headers } = slot.work;
  return onTier(layout, slot, {
    lane: aside.lanes === null ? record.partition : laneOf(slot.endpointId, aside.lanes),
    attempt: delivery.attempt,
    delayMs: aside.delayMs,
    bounces: bounces + 1,
    effort: aside.effort ?? effortOf(headers),
    traceparent: event.traceparent,
  });
}

interface Wait {
  readonly lane: number;
  readonly attempt: number;
  readonly delayMs: number;
  readonly bounces: number;
  readonly effort: EffortMeta;
  readonly traceparent: string;
}

function onTier(layout: RecordLayout, slot: DeliverySlot, wait: Wait): TieredRecord {
  const { lane, attempt, delayMs, bounces } = wait;
  const tier = chooseTier(layout.tiers, delayMs);
  const headers = {
    ...carried(slot, wait.traceparent),
    ...deliveryHeaders(slot, attempt, lane),
    ...encodeEffort(wait.effort),
    ...encodeWait({ delayMs, returnTo: 'deliveries', bounces }),
  };
  const partition = lane % tierPartitions(layout.lanes);
  return { tier, record: outbound(layout.topics.tier(tier), partition, slot, headers) };
}

export interface DeadLetter {
  readonly reason: DeadLetterReason;
  readonly failure: FailureClass;
  readonly status: number | null;
  readonly error: string;
  /** Requests made in this round. */
  readonly attempts: number;
  readonly nowMs: number;
  readonly lanes: readonly number[];
  readonly traceparent: string;
}

/** What a round has spent is left behind: a replay starts with nothing spent. */
export function buildDeadLetter(layout: RecordLayout, slot: DeliverySlot, dead: DeadLetter): OutboundRecord {
  const { delivery, tenantId, payload } = slot.work;
  const headers: Headers = {
    ...carried(slot, dead.traceparent),
    ...deliveryHeaders(slot, delivery.attempt, laneOf(slot.endpointId, dead.lanes)),
    ...encodeDeadLetter({
      reason: dead.reason,
      lastFailure: dead.failure,
      lastStatus: dead.status,
      lastError: dead.error,
      attempts: dead.attempts,
      failedAtMs: dead.nowMs,
    }),
  };
  headers[MAC_HEADER] = recordMac(layout.macKey, headers, payload);
  const partition = tenantPartition(tenantId, layout.deadLetterPartitions);
  return outbound(layout.topics.deadLetters, partition, slot, headers);
}

const NO_PAYLOAD = Buffer.alloc(0);

/** Says in the overflow of a lane that a slot of it is settled. */
export function settledRecord(
  to: Pick<OutboundRecord, 'topic' | 'partition' | 'key'>,
  settled: SettledMeta,
): OutboundRecord {
  return { ...to, value: NO_PAYLOAD, headers: encodeSettled(settled) };
}

/** Tells the owner of a lane that was ours what we have settled of it. It reads the overflow however deep its lane is. */
export function buildSettled(layout: RecordLayout, slot: DeliverySlot): OutboundRecord {
  const { overflow } = layout.topics;
  const { topic, partition, offset } = slot.work.record;
  const from = topic === overflow ? 'overflow' : 'deliveries';
  const to = { topic: overflow, partition, key: slot.work.tenantId };
  return settledRecord(to, { topic: from, offset, slot: slot.index });
}

function deliveryHeaders(slot: DeliverySlot, attempt: number, lane: number): Headers {
  const { run, round } = slot.work.delivery;
  return encodeDelivery({ slots: [slot.endpointId], run, round, attempt, lane });
}

function carried(slot: DeliverySlot, traceparent: string): Headers {
  const headers = eventHeaders(slot.work.headers);
  if (traceparent !== '') headers.traceparent = traceparent;
  return headers;
}

function outbound(topic: string, partition: number, slot: DeliverySlot, headers: Headers): OutboundRecord {
  return { topic, partition, key: slot.work.tenantId, value: slot.work.payload, headers };
}
