import type { TrackedRecord } from '@posthorn/kafka';

export interface InFlightOptions {
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** Asks the consumer to offer the partition's records again. */
  resume(topic: string, partition: number): void;
}

/**
 * The work of one consumer that has started and not ended, bounded in count and bytes.
 *
 * Modes of a partition: open → refused (over a bound; the consumer has paused it) → open again, once half of both
 * bounds is free. One record is always let in, however large.
 */
export interface InFlight {
  /** Starts the work and returns true, or returns false for want of room. The work must not reject. */
  take(record: TrackedRecord, work: () => Promise<void>): boolean;
  /** Resolves as soon as nothing is under way. */
  idle(): Promise<void>;
  readonly records: number;
  readonly bytes: number;
}

const RESUME_SHARE = 0.5;

export function createInFlight({ maxRecords, maxBytes, resume }: InFlightOptions): InFlight {
  const refused = new Map<string, { topic: string; partition: number }>();
  let records = 0;
  let bytes = 0;
  let waiting: Array<() => void> = [];

  function release(size: number): void {
    records -= 1;
    bytes -= size;
    if (records === 0) {
      for (const resolve of waiting) resolve();
      waiting = [];
    }
    if (refused.size === 0 || records > maxRecords * RESUME_SHARE || bytes > maxBytes * RESUME_SHARE) return;
    const partitions = [...refused.values()];
    refused.clear();
    for (const { topic, partition } of partitions) resume(topic, partition);
  }

  return {
    take(record, work) {
      const size = record.value.length;
      if (records >= maxRecords || (records > 0 && bytes + size > maxBytes)) {
        refused.set(`${record.topic}/${record.partition}`, record);
        return false;
      }
      records += 1;
      bytes += size;
      void work().finally(() => release(size));
      return true;
    },
    idle() {
      if (records === 0) return Promise.resolve();
      return new Promise((resolve) => waiting.push(resolve));
    },
    get records() {
      return records;
    },
    get bytes() {
      return bytes;
    },
  };
}
