import { RecordFormatError } from '@posthorn/contracts';
import type { PartitionHandler, TrackedRecord } from '@posthorn/kafka';
import type { SetAside, SetAsideReason } from '../set-aside.ts';
import { BEACON_HEADER } from './beacon.ts';
import type { BrokerClock } from './broker-clock.ts';
import { type Destinations, NoSuchLane, readWaiting, type Waiting } from './release.ts';
import { MAX_TIMER_MS, type TierQueue } from './tier-queue.ts';

export interface TierPartitionOptions extends Destinations {
  readonly queue: TierQueue;
  readonly topic: string;
  readonly partition: number;
  readonly brokerClock: Pick<BrokerClock, 'nowMs'>;
  resume(topic: string, partition: number): void;
  readonly setAside: SetAside;
}

/**
 * Reads one partition of a tier in order.
 *
 * Modes: reading → held (its next record opens later; a timer resumes it) or crowded (the queue has no room and
 * resumes it) → reading → lost.
 */
export function createTierPartition(options: TierPartitionOptions): PartitionHandler {
  const { queue, topic, partition, brokerClock } = options;
  let hold: NodeJS.Timeout | undefined;

  function holdFor(heldMs: number): void {
    clearTimeout(hold);
    const waitMs = Math.min(Math.ceil(heldMs), MAX_TIMER_MS);
    hold = setTimeout(() => options.resume(topic, partition), waitMs);
  }

  return {
    offer(record) {
      if (record.headers[BEACON_HEADER] !== undefined) {
        record.complete();
        return true;
      }
      const waiting = readOrSetAside(options, record);
      if (waiting === undefined) return true;
      const heldMs = waiting.plan.opensMs - brokerClock.nowMs();
      if (heldMs <= 0) return queue.add(waiting);
      holdFor(heldMs);
      return false;
    },
    lost() {
      clearTimeout(hold);
      queue.forget(topic, partition);
    },
  };
}

function readOrSetAside(options: TierPartitionOptions, record: TrackedRecord): Waiting | undefined {
  try {
    return readWaiting(options, options.queue.tier, record);
  } catch (error) {
    void options.setAside(record, reasonOf(error), error);
    return undefined;
  }
}

function reasonOf(error: unknown): SetAsideReason {
  if (error instanceof NoSuchLane) return 'no_such_lane';
  return error instanceof RecordFormatError ? 'malformed' : 'internal_error';
}
