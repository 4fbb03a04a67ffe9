import type { PartitionHandler, TrackedRecord } from '@posthorn/kafka';

/** A journal record has many entries; before it is read its rows are guessed from its size. */
const BYTES_PER_ROW = 512;
const RESUME_SHARE = 0.5;

export interface IntakeOptions {
  readonly maxRecords: number;
  readonly maxBytes: number;
  resume(topic: string, partition: number): void;
}

/**
 * The records that were read and not written yet, in one queue. Each partition is `open`, or `paused` since it was
 * refused because the queue was full; when half of the queue is written all paused ones are opened. Records that are
 * being written count until `release`.
 */
export interface Intake {
  assigned(topic: string, partition: number): PartitionHandler;
  /** Resolves when there is something to take. */
  arrival(): Promise<void>;
  /** Resolves when about `rows` rows are there, or after `lingerMs`. */
  gathered(rows: number, lingerMs: number): Promise<void>;
  /** Takes records of about `rows` rows, one record at least; those of lost partitions are dropped. */
  take(rows: number): TrackedRecord[];
  /** What was taken is written, or its partition lost. */
  release(records: readonly TrackedRecord[]): void;
  readonly records: number;
  readonly bytes: number;
}

export function createIntake(options: IntakeOptions): Intake {
  let queue: TrackedRecord[] = [];
  let queuedRows = 0;
  let records = 0;
  let bytes = 0;
  const paused = new Map<string, { topic: string; partition: number }>();
  let wake: (() => void) | undefined;

  function offer(record: TrackedRecord): boolean {
    const size = sizeOf(record);
    if (records >= options.maxRecords || (records > 0 && bytes + size > options.maxBytes)) {
      const { topic, partition } = record;
      paused.set(`${topic}/${partition}`, { topic, partition });
      return false;
    }
    queue.push(record);
    queuedRows += rowsOf(record);
    records++;
    bytes += size;
    wake?.();
    return true;
  }

  function until(rows: number, timeoutMs: number | null): Promise<void> {
    if (queuedRows >= rows) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        wake = undefined;
        resolve();
      };
      const timer = timeoutMs === null ? undefined : setTimeout(done, timeoutMs);
      wake = () => {
        if (queuedRows >= rows) done();
      };
    });
  }

  function release(taken: readonly TrackedRecord[]): void {
    records -= taken.length;
    for (const record of taken) bytes -= sizeOf(record);
    if (records > options.maxRecords * RESUME_SHARE || bytes > options.maxBytes * RESUME_SHARE) return;
    const reopened = [...paused.values()];
    paused.clear();
    for (const { topic, partition } of reopened) options.resume(topic, partition);
  }

  return {
    assigned: (topic, partition) => ({
      offer,
      lost: () => {
        // Its records are dropped when they are taken: they are no longer live by then.
        paused.delete(`${topic}/${partition}`);
      },
    }),
    arrival: () => until(1, null),
    gathered: (rows, lingerMs) => until(rows, lingerMs),
    take(rows) {
      const taken: TrackedRecord[] = [];
      const dropped: TrackedRecord[] = [];
      let count = 0;
      let at = 0;
      while (at < queue.length && (count === 0 || count < rows)) {
        const record = queue[at++]!;
        queuedRows -= rowsOf(record);
        if (!record.live) {
          dropped.push(record);
          continue;
        }
        taken.push(record);
        count += rowsOf(record);
      }
      queue = queue.slice(at);
      if (dropped.length > 0) release(dropped);
      return taken;
    },
    release,
    get records() {
      return records;
    },
    get bytes() {
      return bytes;
    },
  };
}

const HEADER_BYTES = 512;
const sizeOf = (record: TrackedRecord): number => record.value.length + HEADER_BYTES;
/** A journal record is the only one without headers of its own. */
const rowsOf = (record: TrackedRecord): number =>
  record.headers.ce_id === undefined ? 1 + Math.floor(record.value.length / BYTES_PER_ROW) : 1;
