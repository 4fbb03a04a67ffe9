import type { ProduceReport } from './outbound.ts';

export interface BatcherOptions {
  maxLingerMs: number;
  maxBatchBytes: number;
  maxRequestBytes: number;
  maxBufferedBytes: number;
  maxBufferedRecords: number;
  maxInFlight: number;
  deliveryTimeoutMs: number;
  retryBackoffMs: { min: number; max: number };
  /** How often a closed fence is looked at again. */
  fencePollMs: number;
  mayStart: () => boolean;
  onRequest: (report: ProduceReport) => void;
  nowMs: () => number;
}
