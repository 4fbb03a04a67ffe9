import type { PartitionHandler } from '@posthorn/kafka';
import { createReleaseRecord, type ReleaseRecordOptions } from './release-record.ts';
import { createTierPartition } from './tier-partition.ts';
import { createTierQueue } from './tier-queue.ts';

export interface ReleaserOptions extends ReleaseRecordOptions {
  /** Of each tier. */
  readonly maxWaitingRecords: number;
  readonly maxWaitingBytes: number;
  /** While false, what is due stays where it is. */
  mayBegin(): boolean;
  resume(topic: string, partition: number): void;
}

export interface Releaser {
  assigned(topic: string, partition: number): PartitionHandler;
  /** Resolves when no release is under way. What waits for its time does not count. */
  idle(): Promise<void>;
  stats(): ReadonlyArray<{ tier: string; records: number; bytes: number }>;
}

/** Reads every tier in order, keeps what is soon due in a queue per tier, and sends it on at its time. */
export function createReleaser(options: ReleaserOptions): Releaser {
  const release = createReleaseRecord(options);
  const queues = new Map(
    options.tiers.map((tier) => [
      options.names.tier(tier),
      createTierQueue({
        ...options,
        tier,
        maxRecords: options.maxWaitingRecords,
        maxBytes: options.maxWaitingBytes,
        release,
      }),
    ]),
  );
  return {
    assigned(topic, partition) {
      const queue = queues.get(topic);
      if (!queue) throw new Error(`${topic} is no tier`);
      return createTierPartition({ ...options, queue, topic, partition });
    },
    async idle() {
      await Promise.all([...queues.values()].map((queue) => queue.idle()));
    },
    stats: () =>
      [...queues.values()].map(({ tier, records, bytes }) => ({ tier: tier.name, records, bytes })),
  };
}
