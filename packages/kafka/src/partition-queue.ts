import { type OutboundRecord, type ProduceAck, ProduceError, type ProduceErrorCode } from './outbound.ts';
import { batchBytesBound } from './record-batch.ts';

export interface Pending {
  readonly record: OutboundRecord;
  readonly contentBytes: number;
  readonly deadlineMs: number;
  readonly resolve: (ack: ProduceAck) => void;
  readonly reject: (error: ProduceError) => void;
  settled: boolean;
  /** An earlier try may have been appended. */
  ambiguous: boolean;
  /** Goes in a batch of its own, because its batch was too large. */
  alone: boolean;
  cause: unknown;
}

/**
 * The records of one partition that wait to be sent, oldest deadline first. At most one request of a partition is
 * under way, so that its records stay in order over resends.
 */
export class PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  underWay = false;
  failures = 0;
  retryAtMs = 0;
  bytes = 0;
  #waiting: Pending[] = [];

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  get isSendable(): boolean {
    return !this.underWay && this.#waiting.length > 0;
  }

  get earliestDeadlineMs(): number {
    return this.#waiting[0]?.deadlineMs ?? Number.POSITIVE_INFINITY;
  }

  push(pending: Pending): void {
    this.#waiting.push(pending);
    this.bytes += pending.contentBytes;
  }

  /** The next batch: at least one record, then as many as fit. */
  take(maxBatchBytes: number): Pending[] {
    let bytes = 0;
    let count = 0;
    for (const next of this.#waiting) {
      if (count > 0) {
        if (next.alone || this.#waiting[0]!.alone) break;
        if (batchBytesBound(bytes + next.contentBytes, count + 1) > maxBatchBytes) break;
      }
      bytes += next.contentBytes;
      count++;
    }
    this.bytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  /** What was taken and must be sent again goes back to the front. */
  putBack(records: readonly Pending[]): void {
    const open = records.filter(({ settled }) => !settled);
    for (const { contentBytes } of open) this.bytes += contentBytes;
    this.#waiting = [...open, ...this.#waiting];
  }

  takeExpired(nowMs: number): Pending[] {
    let count = 0;
    while (count < this.#waiting.length && this.#waiting[count]!.deadlineMs <= nowMs) {
      this.bytes -= this.#waiting[count++]!.contentBytes;
    }
    return count === 0 ? [] : this.#waiting.splice(0, count);
  }
}

export function rejectionOf({ record }: Pending, code: ProduceErrorCode, cause: unknown): ProduceError {
  const reason = cause instanceof Error ? cause.message : 'not sent in time';
  return new ProduceError(code, `${record.topic}/${record.partition}: ${reason}`, { cause });
}
