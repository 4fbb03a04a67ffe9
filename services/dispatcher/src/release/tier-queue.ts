import type { Tier } from '@posthorn/contracts';
import type { BrokerClock } from './broker-clock.ts';
import type { Waiting } from './release.ts';
import { createWaitingHeap } from './waiting-heap.ts';

export interface TierQueueOptions {
  readonly tier: Tier;
  /** What is being published included. */
  readonly maxRecords: number;
  readonly maxBytes: number;
  readonly brokerClock: Pick<BrokerClock, 'nowMs'>;
  /** While false, what is due stays. */
  mayBegin(): boolean;
  resume(topic: string, partition: number): void;
  /** Publishes and completes; must not reject. */
  release(waiting: Waiting): Promise<void>;
}

/**
 * What was read of one tier and waits for its time, all partitions together, earliest first.
 *
 * Modes of a record: waiting → being released (its time has come, and something may begin) → gone. Of a partition:
 * welcome → crowded (refused for want of room) → welcome again, once half of the room is free.
 */
export interface TierQueue {
  readonly tier: Tier;
  /** False for want of room. */
  add(waiting: Waiting): boolean;
  /** Forgets what waits of a partition; what is being released goes on. */
  forget(topic: string, partition: number): void;
  /** Resolves when nothing is being released. What waits for its time does not count. */
  idle(): Promise<void>;
  readonly records: number;
  readonly bytes: number;
}

/** setTimeout's own limit, 24.8 days, is beyond any tier; looking again each hour costs nothing. */
export const MAX_TIMER_MS = 3_600_000;
const FENCE_POLL_MS = 50;
const RESUME_SHARE = 0.5;

export function createTierQueue(options: TierQueueOptions): TierQueue {
  const { tier, maxRecords, maxBytes, brokerClock, mayBegin } = options;
  const heap = createWaitingHeap<Waiting>({ maxRecords, maxBytes });
  const crowded = new Map<number, { topic: string; partition: number }>();
  const underWay = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;

  function arm(): void {
    clearTimeout(timer);
    timer = undefined;
    const nextMs = heap.nextAtMs;
    if (nextMs === undefined) return;
    const waitMs = mayBegin() ? nextMs - brokerClock.nowMs() : FENCE_POLL_MS;
    timer = setTimeout(fire, Math.min(Math.max(Math.ceil(waitMs), 0), MAX_TIMER_MS));
  }

  function fire(): void {
    while (mayBegin()) {
      const due = heap.takeDue(brokerClock.nowMs());
      if (!due) break;
      const work = options.release(due).finally(() => {
        underWay.delete(work);
        heap.free(due.record.value.length);
        admitCrowded();
      });
      underWay.add(work);
    }
    arm();
  }

  function admitCrowded(): void {
    if (crowded.size === 0 || heap.records > maxRecords * RESUME_SHARE) return;
    if (heap.bytes > maxBytes * RESUME_SHARE) return;
    const partitions = [...crowded.values()];
    crowded.clear();
    for (const { topic, partition } of partitions) options.resume(topic, partition);
  }

  return {
    tier,
    add(waiting) {
      const { record, plan } = waiting;
      if (!heap.add(waiting, plan.leavesMs, record.value.length)) {
        crowded.set(record.partition, record);
        return false;
      }
      if (heap.nextAtMs === plan.leavesMs) arm();
      return true;
    },
    forget(topic, partition) {
      crowded.delete(partition);
      heap.drop(({ record }) => record.topic === topic && record.partition === partition);
      arm();
      admitCrowded();
    },
    async idle() {
      await Promise.all(underWay);
    },
    get records() {
      return heap.records;
    },
    get bytes() {
      return heap.bytes;
    },
  };
}
