import type { KafkaClient } from './client.ts';

export interface OutboundRecord {
  topic: string;
  partition: number;
  key: string | null;
  value: Buffer | null;
  headers: Record<string, string>;
}

export interface ProduceAck {
  partition: number;
  offset: number;
  /** The broker's clock, where the topic has LogAppendTime; null elsewhere. */
  appendTimeMs: number | null;
}

/** One produce request as it ended, for metrics. */
export interface ProduceReport {
  records: number;
  bytes: number;
  durationMs: number;
  outcome: 'acknowledged' | 'resent' | 'not_accepted' | 'outcome_unknown';
}

export interface ProducerOptions {
  /** Longest wait for company under load; an idle producer sends at once. */
  maxLingerMs?: number;
  maxBatchBytes?: number;
  maxBufferedBytes?: number;
  maxBufferedRecords?: number;
  /** Produce requests under way at once. */
  maxInFlight?: number;
  /** From send() to its settling, resends included. */
  deliveryTimeoutMs: number;
  requestTimeoutMs?: number;
  compression?: 'none' | 'gzip';
  /** The fence: while false no request is started (see Consumer.mayAct). */
  mayStart?: () => boolean;
  onRequest?: (report: ProduceReport) => void;
}

export type ProduceErrorCode = 'not_accepted' | 'outcome_unknown';

/**
 * `not_accepted`: certain that nothing was appended (buffer full, never written to a socket, timed out while
 * queued, refused by an error that excludes an append). `outcome_unknown`: it may or may not be in the log.
 */
export class ProduceError extends Error {
  readonly code: ProduceErrorCode;

  constructor(code: ProduceErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ProduceError';
    this.code = code;
  }
}

export interface Producer {
  start(): Promise<void>;
  /** Flushes what is buffered. Safe twice and before start. */
  stop(): Promise<void>;
  /** Rejects with ProduceError, at the latest deliveryTimeoutMs from now. */
  send(record: OutboundRecord): Promise<ProduceAck>;
  /** Acks in the order of the records; rejects with the first ProduceError once all have settled. */
  sendAll(records: readonly OutboundRecord[]): Promise<ProduceAck[]>;
  readonly bufferedBytes: number;
  readonly bufferedRecords: number;
}

export function createProducer(_client: KafkaClient, _options: ProducerOptions): Producer {
  throw new Error('not built yet');
}
