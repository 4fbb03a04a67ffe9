import type { PartitionQueue, Pending } from './partition-queue.ts';
import type { SendBatch } from './produce-transport.ts';

/** One request: the records it was given by the queues, and whether its bytes have gone to a socket. */
export class ProduceAttempt {
  readonly startedMs: number;
  readonly #taken = new Map<PartitionQueue, Pending[]>();
  #bytes = 0;
  #records = 0;
  #written = false;

  constructor(startedMs: number) {
    this.startedMs = startedMs;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get records(): number {
    return this.#records;
  }

  /** From here on its records may have been appended. */
  get written(): boolean {
    return this.#written;
  }

  get taken(): Iterable<[PartitionQueue, Pending[]]> {
    return this.#taken;
  }

  take(queue: PartitionQueue, maxBatchBytes: number): void {
    const records = queue.take(maxBatchBytes);
    for (const pending of records) this.#bytes += pending.contentBytes;
    this.#records += records.length;
    this.#taken.set(queue, records);
    queue.underWay = true;
  }

  batches(): SendBatch[] {
    return [...this.#taken].map(([{ topic, partition }, records]) => ({ topic, partition, records }));
  }

  /** The last point at which nothing was written: what is too late by now must not go out. */
  passToSocket(mayStart: boolean, nowMs: number): void {
    if (!mayStart) throw new Error('the fence closed before the records were written');
    for (const records of this.#taken.values()) {
      // A process that was stopped comes here before the timer that would have settled them.
      if (records.some(({ settled, deadlineMs }) => settled || deadlineMs <= nowMs)) {
        throw new Error('timed out before the records were written');
      }
    }
    this.#written = true;
  }
}
