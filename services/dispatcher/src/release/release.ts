import {
  chooseTier,
  crowdedOf,
  type DeliveryMeta,
  decodeDelivery,
  decodeEvent,
  decodeWait,
  encodeCrowded,
  encodeDelivery,
  encodeWait,
  type Headers,
  lookAheadMs,
  type Tier,
  type TopicNames,
  tenantPartition,
  type WaitMeta,
  withoutWait,
} from '@posthorn/contracts';
import type { OutboundRecord, TrackedRecord } from '@posthorn/kafka';
import { cutIntoRecords, type LaneSlots } from '../cut-into-records.ts';

/**
 * How much earlier than its look-ahead asks for a record may be read. A wait as short as tier − look-ahead may stand
 * behind one that opens at just that moment, and a paused partition takes up to a fetch to come back: without it such
 * waits were 100–200 ms late under load.
 */
const RESUME_MARGIN_MS = 500;
/** Tiers up to this length are never held: their first waits are shorter than their look-ahead. */
const MIN_READ_AHEAD_MS = 1_000;

const readAheadMs = (tier: Tier): number => Math.max(lookAheadMs(tier) + RESUME_MARGIN_MS, MIN_READ_AHEAD_MS);

/** What becomes of a record on a tier, in milliseconds of the broker's clock. */
export interface ReleasePlan {
  readonly wait: WaitMeta;
  readonly dueMs: number;
  /** When it leaves this tier: at its due time, or with a remainder after the tier's own delay. */
  readonly leavesMs: number;
  /** From then on it may be read into the heap; before, it holds its partition. */
  readonly opensMs: number;
  readonly hops: boolean;
}

/**
 * Due is append time + delay. A wait that ends within the tier's look-ahead is waited out here; a longer one goes to
 * the tier that fits the remainder once this tier's own delay is over.
 */
export function planRelease(tier: Tier, appendMs: number, wait: WaitMeta): ReleasePlan {
  const dueMs = appendMs + wait.delayMs;
  const hops = wait.delayMs > tier.delayMs + lookAheadMs(tier);
  const leavesMs = hops ? appendMs + tier.delayMs : dueMs;
  // Records behind this one wait with it: none may be opened later than the tier's own delay asks for.
  const opensMs = Math.min(leavesMs, appendMs + tier.delayMs) - readAheadMs(tier);
  return { wait, dueMs, leavesMs, opensMs, hops };
}

/** A record of a tier with what was read of it. */
export interface Waiting {
  readonly record: TrackedRecord;
  readonly plan: ReleasePlan;
  /** Null for an event that returns to `events`. */
  readonly delivery: DeliveryMeta | null;
}

export interface Destinations {
  readonly names: TopicNames;
  readonly tiers: readonly Tier[];
  readonly lanes: number;
  readonly eventPartitions: number;
  /** The lanes that a tenant has now; undefined when its configuration is not at hand. */
  lanesOf(tenantId: string): readonly number[] | undefined;
}

/** A record that asks for a lane that the layout does not have. */
export class NoSuchLane extends Error {
  override name = 'NoSuchLane';
}

/**
 * Reads a tier record, so that what can never be released is found out now and not when it is due.
 * @throws RecordFormatError, NoSuchLane
 */
export function readWaiting(to: Destinations, tier: Tier, record: TrackedRecord): Waiting {
  const plan = planRelease(tier, record.timestampMs, decodeWait(record.headers));
  if (plan.wait.returnTo === 'events') {
    decodeEvent(record.headers);
    return { record, plan, delivery: null };
  }
  const delivery = decodeDelivery(record.headers);
  if (delivery.lane >= to.lanes) throw new NoSuchLane(`lane ${delivery.lane} of ${to.lanes}`);
  return { record, plan, delivery };
}

/**
 * The records that leave a tier: back to their lane or to `events`, or on to the next tier with what remains. One but
 * for a record of several slots whose tenant has got other lanes since. Key and payload are those of the source.
 */
export function leaveTier(
  to: Destinations,
  waiting: Waiting,
  nowMs: number,
  traceparent: string,
): OutboundRecord[] {
  const { record, plan, delivery } = waiting;
  const headers = traceparent === '' ? record.headers : { ...record.headers, traceparent };
  if (plan.hops) return [hop(to, waiting, plan.dueMs - nowMs, headers)];
  const kept = withoutWait(headers);
  if (delivery === null) return [toEvents(to, record, kept)];
  return lanesNow(to, record, delivery).map(({ lane, slots }) => ({
    key: record.key,
    value: record.value,
    topic: to.names.deliveries,
    partition: lane,
    headers:
      lane === delivery.lane && slots.length === delivery.slots.length
        ? kept
        : { ...kept, ...encodeDelivery({ ...delivery, lane, slots }) },
  }));
}

/** The record that takes one more turn on the tiers since its tenant's rate is used up. */
export function sendRound(to: Destinations, waiting: Waiting, delayMs: number): OutboundRecord {
  const { headers } = waiting.record;
  return hop(to, waiting, delayMs, { ...headers, ...encodeCrowded(crowdedOf(headers) + 1) });
}

/** All tiers have the same partitions, so a lane's records stay together. */
function hop(to: Destinations, { record, plan }: Waiting, delayMs: number, headers: Headers): OutboundRecord {
  return {
    key: record.key,
    value: record.value,
    topic: to.names.tier(chooseTier(to.tiers, delayMs)),
    partition: record.partition,
    headers: { ...headers, ...encodeWait({ ...plan.wait, delayMs }) },
  };
}

function toEvents(to: Destinations, record: TrackedRecord, headers: Headers): OutboundRecord {
  const partition = tenantPartition(headers.ce_tenant!, to.eventPartitions);
  return { key: record.key, value: record.value, topic: to.names.events, partition, headers };
}

/** Where the slots belong now; where they belonged when they came to the tier while the tenant is not known. */
function lanesNow(to: Destinations, record: TrackedRecord, delivery: DeliveryMeta): readonly LaneSlots[] {
  const lanes = to.lanesOf(record.headers.ce_tenant ?? '');
  const same = lanes === undefined || (lanes.length === 1 && lanes[0] === delivery.lane);
  if (same || !lanes.every((lane) => lane < to.lanes)) return [delivery];
  return cutIntoRecords(delivery.slots, lanes);
}
