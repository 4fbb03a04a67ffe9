import {
  chooseTier,
  type DeadLetterReason,
  encodeDeadLetter,
  encodeDelivery,
  encodeWait,
  eventHeaders,
  type Headers,
  laneOf,
  type Tier,
  type TopicNames,
  tenantPartition,
  tierPartitions,
} from '@posthorn/contracts';
import type { OutboundRecord } from '@posthorn/kafka';
import type { DeliverySlot } from '../intake/delivery-work.ts';
import type { Made } from './made.ts';
import type { Failure } from './retry-policy.ts';

/** Where a slot's records go. */
export interface RecordLayout {
  readonly topics: TopicNames;
  readonly tiers: readonly Tier[];
  /** Partitions of `deliveries`. */
  readonly lanes: number;
  /** Partitions of `dead-letters`. */
  readonly deadLetterPartitions: number;
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
  const lane = laneOf(slot.endpointId, made.lanes);
  const attempt = slot.work.delivery.attempt + 1;
  return onTier(layout, slot, { lane, attempt, delayMs, bounces: 0, traceparent: made.traceparent });
}

/** The same attempt of a slot, later: it could not be tried. `lanes` is null when its tenant is not known. */
export function buildAside(
  layout: RecordLayout,
  slot: DeliverySlot,
  delayMs: number,
  lanes: readonly number[] | null,
): TieredRecord {
  const { event, delivery, bounces, record } = slot.work;
  return onTier(layout, slot, {
    lane: lanes === null ? record.partition : laneOf(slot.endpointId, lanes),
    attempt: delivery.attempt,
    delayMs,
    bounces: bounces + 1,
    traceparent: event.traceparent,
  });
}

interface Wait {
  readonly lane: number;
  readonly attempt: number;
  readonly delayMs: number;
  readonly bounces: number;
  readonly traceparent: string;
}

function onTier(layout: RecordLayout, slot: DeliverySlot, wait: Wait): TieredRecord {
  const { delivery } = slot.work;
  const { lane, attempt, delayMs, bounces } = wait;
  const tier = chooseTier(layout.tiers, delayMs);
  const headers = {
    ...carried(slot, wait.traceparent),
    ...encodeDelivery({
      slots: [slot.endpointId],
      run: delivery.run,
      round: delivery.round,
      attempt,
      lane,
    }),
    ...encodeWait({ delayMs, returnTo: 'deliveries', bounces }),
  };
  const partition = lane % tierPartitions(layout.lanes);
  return { tier, record: outbound(layout.topics.tier(tier), partition, slot, headers) };
}

export function buildDeadLetter(
  layout: RecordLayout,
  slot: DeliverySlot,
  made: Made,
  dead: { readonly failure: Failure; readonly reason: DeadLetterReason; readonly nowMs: number },
): OutboundRecord {
  const { delivery, tenantId } = slot.work;
  const { run, round, attempt } = delivery;
  const headers = {
    ...carried(slot, made.traceparent),
    ...encodeDelivery({
      slots: [slot.endpointId],
      run,
      round,
      attempt,
      lane: laneOf(slot.endpointId, made.lanes),
    }),
    ...encodeDeadLetter({
      reason: dead.reason,
      lastFailure: dead.failure.failure,
      lastStatus: dead.failure.status,
      lastError: dead.failure.detail,
      attempts: attempt,
      failedAtMs: dead.nowMs,
    }),
  };
  const partition = tenantPartition(tenantId, layout.deadLetterPartitions);
  return outbound(layout.topics.deadLetters, partition, slot, headers);
}

function carried(slot: DeliverySlot, traceparent: string): Headers {
  const headers = eventHeaders(slot.work.headers);
  if (traceparent !== '') headers.traceparent = traceparent;
  return headers;
}

function outbound(topic: string, partition: number, slot: DeliverySlot, headers: Headers): OutboundRecord {
  return { topic, partition, key: slot.work.tenantId, value: slot.work.payload, headers };
}
