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
