import { RecordFormatError, type Tier } from '@posthorn/contracts';
import type { PartitionHandler, TrackedRecord } from '@posthorn/kafka';
import type { Tracing } from '@posthorn/runtime';
import { Abandoned, type Send } from '../send.ts';
import type { SetAside } from '../set-aside.ts';
import { BEACON_HEADER } from './beacon.ts';
import type { BrokerClock } from './broker-clock.ts';
import { type Destinations, leaveTier, NoSuchLane, type ReleasePlan, readWait } from './release.ts';
import { createWaitingHeap, type WaitingHeap } from './waiting-heap.ts';

export interface ReleaserOptions extends Destinations {
  /** Of each tier's heap, what is being published included. */
  readonly maxWaitingRecords: number;
  readonly maxWaitingBytes: number;
  readonly brokerClock: BrokerClock;
  monotonicMs(): number;
  readonly send: Send;
  /** While false, what is due stays in the heap. */
  mayBegin(): boolean;
  resume(topic: string, partition: number): void;
  readonly setAside: SetAside;
  readonly tracing: Tracing;
  readonly observe: ReleaseObserver;
}

export interface ReleaseObserver {
  /** `latenessMs` by the broker's clock, from due to append. */
  released(to: 'deliveries' | 'events', latenessMs: number): void;
  hopped(): void;
}

export interface Releaser {
  assigned(topic: string, partition: number): PartitionHandler;
  /** Resolves when no release is under way. What waits for its time does not count. */
  idle(): Promise<void>;
  stats(): ReadonlyArray<{ tier: string; records: number; bytes: number }>;
}

interface Waiting {
  readonly record: TrackedRecord;
  readonly plan: ReleasePlan;
}

interface TierQueue {
  readonly tier: Tier;
  readonly heap: WaitingHeap<Waiting>;
  /** Partitions that were refused for want of room in the heap. */
  readonly crowded: Map<number, { topic: string; partition: number }>;
  timer: NodeJS.Timeout | undefined;
}

/** setTimeout's own limit, 24.8 days, is beyond any tier; looking again each hour costs nothing. */
const MAX_TIMER_MS = 3_600_000;
const FENCE_POLL_MS = 50;
const RESUME_SHARE = 0.5;

/**
 * Reads every tier in order, keeps what is soon due in a heap per tier, and sends it on at its time.
 *
 * Modes of a tier partition: reading → held (its next record opens later; a timer resumes it) or crowded (the heap has
 * no room; half of it free resumes it) → reading. A record: in the heap → being published → completed.
 */
export function createReleaser(options: ReleaserOptions): Releaser {
  const { brokerClock, mayBegin, resume } = options;
  const queues = new Map(
    options.tiers.map((tier) => [options.names.tier(tier), createTierQueue(options, tier)]),
  );
  const underWay = new Set<Promise<void>>();

  function arm(queue: TierQueue): void {
    clearTimeout(queue.timer);
    queue.timer = undefined;
    const nextMs = queue.heap.nextAtMs;
    if (nextMs === undefined) return;
    const waitMs = mayBegin() ? nextMs - brokerClock.nowMs() : FENCE_POLL_MS;
    queue.timer = setTimeout(() => fire(queue), Math.min(Math.max(Math.ceil(waitMs), 0), MAX_TIMER_MS));
  }

  function fire(queue: TierQueue): void {
    while (mayBegin()) {
      const due = queue.heap.takeDue(brokerClock.nowMs());
      if (!due) break;
      const work = release(queue, due).finally(() => underWay.delete(work));
      underWay.add(work);
    }
    arm(queue);
  }

  /** Publish, then complete. Never rejects. */
  async function release(queue: TierQueue, { record, plan }: Waiting): Promise<void> {
    try {
      const hop = options.tracing.hop('release retry', record.headers.traceparent ?? '');
      const out = leaveTier(options, record, plan, brokerClock.nowMs(), hop.traceparent);
      const sentMs = options.monotonicMs();
      const { appendTimeMs } = await options.send(record, out);
      hop.end();
      if (appendTimeMs !== null)
        brokerClock.observe({ appendTimeMs, sentMs, ackedMs: options.monotonicMs() });
      record.complete();
      if (plan.hops) options.observe.hopped();
      else options.observe.released(plan.wait.returnTo, (appendTimeMs ?? brokerClock.nowMs()) - plan.dueMs);
    } catch (error) {
      if (!(error instanceof Abandoned)) options.setAside(record, 'internal_error', error);
    } finally {
      queue.heap.free(record.value.length);
      admitCrowded(queue);
    }
  }

  function admitCrowded(queue: TierQueue): void {
    const { heap, crowded } = queue;
    if (crowded.size === 0 || heap.records > options.maxWaitingRecords * RESUME_SHARE) return;
    if (heap.bytes > options.maxWaitingBytes * RESUME_SHARE) return;
    const partitions = [...crowded.values()];
    crowded.clear();
    for (const { topic, partition } of partitions) resume(topic, partition);
  }

  function readPlan(queue: TierQueue, record: TrackedRecord): ReleasePlan | undefined {
    try {
      return readWait(options, queue.tier, record);
    } catch (error) {
      const reason =
        error instanceof NoSuchLane
          ? 'no_such_lane'
          : error instanceof RecordFormatError
            ? 'malformed'
            : 'internal_error';
      options.setAside(record, reason, error);
      return undefined;
    }
  }

  function createPartition(queue: TierQueue, topic: string, partition: number): PartitionHandler {
    let hold: NodeJS.Timeout | undefined;
    return {
      offer(record) {
        if (record.headers[BEACON_HEADER] !== undefined) {
          record.complete();
          return true;
        }
        const plan = readPlan(queue, record);
        if (!plan) return true;
        const heldMs = plan.opensMs - brokerClock.nowMs();
        if (heldMs > 0) {
          clearTimeout(hold);
          hold = setTimeout(() => resume(topic, partition), Math.min(Math.ceil(heldMs), MAX_TIMER_MS));
          return false;
        }
        if (!queue.heap.add({ record, plan }, plan.leavesMs, record.value.length)) {
          queue.crowded.set(partition, { topic, partition });
          return false;
        }
        if (queue.heap.nextAtMs === plan.leavesMs) arm(queue);
        return true;
      },
      lost() {
        clearTimeout(hold);
        queue.crowded.delete(partition);
        queue.heap.drop(({ record }) => record.topic === topic && record.partition === partition);
        arm(queue);
        admitCrowded(queue);
      },
    };
  }

  return {
    assigned(topic, partition) {
      const queue = queues.get(topic);
      if (!queue) throw new Error(`${topic} is no tier`);
      return createPartition(queue, topic, partition);
    },
    async idle() {
      await Promise.all(underWay);
    },
    stats: () =>
      [...queues.values()].map(({ tier, heap }) => ({
        tier: tier.name,
        records: heap.records,
        bytes: heap.bytes,
      })),
  };
}

function createTierQueue(options: ReleaserOptions, tier: Tier): TierQueue {
  const bounds = { maxRecords: options.maxWaitingRecords, maxBytes: options.maxWaitingBytes };
  return { tier, heap: createWaitingHeap(bounds), crowded: new Map(), timer: undefined };
}
