import { isNewerEntry, type JournalEntry, MAX_JOURNAL_BYTES, tenantPartition } from '@posthorn/contracts';
import type { Producer } from '@posthorn/kafka';
import { JournalError } from './journal-error.ts';
import { createPartitionWriter, type PartitionWriter } from './partition-writer.ts';

export interface JournalWriterOptions {
  readonly producer: Pick<Producer, 'send'>;
  /** The journal topic, prefix included. */
  readonly topic: string;
  readonly partitions: number;
  /** Batches go at ticks this many milliseconds apart, all partitions at once; an entry waits no longer for company. */
  readonly maxDelayMs?: number;
  /** Largest value of one record. */
  readonly maxBytes?: number;
  /** Entries that are neither acknowledged nor rejected, all partitions together; beyond it `append` rejects. */
  readonly maxBufferedBytes?: number;
  /** Sends of one batch before its entries are rejected. Each lasts as long as the producer's delivery time-out. */
  readonly maxSends?: number;
  readonly retryDelayMs?: number;
  /** Told of every batch that was acknowledged or given up. */
  readonly onBatch?: (batch: JournalBatch) => void;
}

export interface JournalBatch {
  readonly entries: number;
  readonly bytes: number;
  readonly sends: number;
  readonly acknowledged: boolean;
}

export interface JournalStats {
  readonly bufferedEntries: number;
  readonly bufferedBytes: number;
  readonly maxBufferedBytes: number;
}

export interface JournalWriter {
  /**
   * Resolves once the batch that holds the entry is acknowledged. An entry may be written twice, when the reply to a
   * send was lost: readers are idempotent.
   * @throws JournalError
   */
  append(entry: JournalEntry): Promise<void>;
  stats(): JournalStats;
  /** Takes nothing more, writes what is buffered and resolves when all of it has settled. Safe twice. */
  stop(): Promise<void>;
}

const DEFAULT_MAX_DELAY_MS = 20;
const DEFAULT_MAX_BUFFERED_BYTES = 16 * 1024 * 1024;
const DEFAULT_MAX_SENDS = 3;
const DEFAULT_RETRY_DELAY_MS = 200;

/**
 * Writes journal entries in batches, one at a time per partition, so that one delivery's entries keep their order.
 *
 * Modes: open → stopping (takes nothing more, writes out) → stopped.
 */
export function createJournalWriter(options: JournalWriterOptions): JournalWriter {
  const { topic, partitions, maxBufferedBytes = DEFAULT_MAX_BUFFERED_BYTES } = options;
  const writers = new Map<number, PartitionWriter>();
  let bufferedBytes = 0;
  let bufferedEntries = 0;
  let stopping: Promise<void> | undefined;

  function writerOf(partition: number): PartitionWriter {
    let writer = writers.get(partition);
    if (!writer) {
      writer = createPartitionWriter({
        send: (value) => options.producer.send({ topic, partition, key: null, value, headers: {} }),
        maxDelayMs: options.maxDelayMs ?? DEFAULT_MAX_DELAY_MS,
        maxBytes: options.maxBytes ?? MAX_JOURNAL_BYTES,
        maxSends: options.maxSends ?? DEFAULT_MAX_SENDS,
        retryDelayMs: options.retryDelayMs ?? DEFAULT_RETRY_DELAY_MS,
        settled(batch) {
          bufferedBytes -= batch.bytes;
          bufferedEntries -= batch.entries;
          options.onBatch?.(batch);
        },
      });
      writers.set(partition, writer);
    }
    return writer;
  }

  return {
    async append(entry) {
      if (stopping) throw new JournalError('stopped', 'the journal writer has stopped');
      const json = JSON.stringify(entry);
      const bytes = Buffer.byteLength(json);
      const writer = writerOf(tenantPartition(entry.tenantId, partitions));
      if (!writer.fits(bytes))
        throw new JournalError('too_large', `an entry of ${bytes} bytes fits no batch`);
      if (bufferedBytes + bytes > maxBufferedBytes) {
        throw new JournalError('full', `${bufferedBytes} bytes of the journal wait to be written`);
      }
      bufferedBytes += bytes;
      bufferedEntries += 1;
      await writer.add(json, bytes, isNewerEntry(entry));
    },
    stats: () => ({ bufferedEntries, bufferedBytes, maxBufferedBytes }),
    stop() {
      stopping ??= Promise.all([...writers.values()].map((writer) => writer.flush())).then(() => undefined);
      return stopping;
    },
  };
}
