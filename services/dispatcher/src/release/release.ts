import {
  chooseTier,
  decodeDelivery,
  decodeEvent,
  decodeWait,
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

export interface Destinations {
  readonly names: TopicNames;
  readonly tiers: readonly Tier[];
  readonly lanes: number;
  readonly eventPartitions: number;
}

/** A record that asks for a lane that the layout does not have. */
export class NoSuchLane extends Error {
  override name = 'NoSuchLane';
}

/**
 * The record that leaves a tier: back to its lane or to `events`, or on to the next tier with what remains. Key and
 * payload are those of the source.
 * @throws RecordFormatError, NoSuchLane
 */
export function leaveTier(
  to: Destinations,
  source: TrackedRecord,
  plan: ReleasePlan,
  nowMs: number,
  traceparent: string,
): OutboundRecord {
  const headers = traceparent === '' ? source.headers : { ...source.headers, traceparent };
  const kept = { key: source.key, value: source.value };
  if (plan.hops) {
    const delayMs = plan.dueMs - nowMs;
    const topic = to.names.tier(chooseTier(to.tiers, delayMs));
    // All tiers have the same partitions, so a lane's records stay together.
    return {
      ...kept,
      topic,
      partition: source.partition,
      headers: { ...headers, ...encodeWait({ ...plan.wait, delayMs }) },
    };
  }
  return { ...kept, ...destinationOf(to, plan.wait, headers), headers: withoutWait(headers) };
}

/** Where a wait ends. @throws RecordFormatError, NoSuchLane */
function destinationOf(
  to: Destinations,
  wait: WaitMeta,
  headers: Headers,
): { topic: string; partition: number } {
  switch (wait.returnTo) {
    case 'events':
      return {
        topic: to.names.events,
        partition: tenantPartition(decodeEvent(headers).tenantId, to.eventPartitions),
      };
    case 'deliveries': {
      const { lane } = decodeDelivery(headers);
      if (lane >= to.lanes) throw new NoSuchLane(`lane ${lane} of ${to.lanes}`);
      return { topic: to.names.deliveries, partition: lane };
    }
    default:
      return wait.returnTo satisfies never;
  }
}

/** Reads a tier record's wait. @throws RecordFormatError, NoSuchLane: found out when it is read, not when it is due. */
export function readWait(to: Destinations, tier: Tier, record: TrackedRecord): ReleasePlan {
  const plan = planRelease(tier, record.timestampMs, decodeWait(record.headers));
  destinationOf(to, plan.wait, record.headers);
  return plan;
}
