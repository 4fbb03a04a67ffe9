import { Batcher } from './batcher.ts';
import type { BatcherOptions } from './batcher-options.ts';
import { type KafkaClient, openProduceCluster } from './client.ts';
import type { OutboundRecord, ProduceAck, ProduceReport } from './outbound.ts';
import { ClusterTransport } from './produce-transport.ts';
import { within } from './within.ts';

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

const DEFAULTS = {
  maxLingerMs: 3,
  maxBatchBytes: 512 * 1024,
  maxRequestBytes: 4 * 1024 * 1024,
  maxBufferedBytes: 64 * 1024 * 1024,
  maxBufferedRecords: 50_000,
  maxInFlight: 5,
  requestTimeoutMs: 6_000,
  retryBackoffMs: { min: 50, max: 1_000 },
  fencePollMs: 50,
};
const DISCONNECT_TIMEOUT_MS = 2_000;

/** Modes: new → started → stopped. A stopped producer does not start again. */
export function createProducer(client: KafkaClient, options: ProducerOptions): Producer {
  const requestTimeoutMs = Math.min(
    options.requestTimeoutMs ?? DEFAULTS.requestTimeoutMs,
    options.deliveryTimeoutMs,
  );
  const cluster = openProduceCluster(client, requestTimeoutMs);
  const transport = new ClusterTransport(cluster, client.log, {
    requestTimeoutMs,
    compression: options.compression ?? 'none',
    wallMs: Date.now,
  });
  const batcher = new Batcher(transport, batcherOptions(options));
  let stopped: Promise<void> | undefined;
  let started = false;

  async function stopOnce(): Promise<void> {
    await batcher.close();
    if (started) await within(DISCONNECT_TIMEOUT_MS, cluster.disconnect());
  }

  return {
    async start() {
      if (started || stopped !== undefined) return;
      started = true;
      // A cluster that is away does not keep a service from starting: sends fail until it is back.
      await cluster.connect().catch((error: unknown) => {
        client.log.warn({ err: error, brokers: client.connection.brokers }, 'Kafka is not reachable yet');
      });
    },
    stop() {
      stopped ??= stopOnce();
      return stopped;
    },
    send: (record) => batcher.send(record),
    async sendAll(records) {
      const settled = await Promise.allSettled(records.map((record) => batcher.send(record)));
      const failed = settled.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      return settled.map((result) => (result as PromiseFulfilledResult<ProduceAck>).value);
    },
    get bufferedBytes() {
      return batcher.bufferedBytes;
    },
    get bufferedRecords() {
      return batcher.bufferedRecords;
    },
  };
}

function batcherOptions(options: ProducerOptions): BatcherOptions {
  return {
    maxLingerMs: options.maxLingerMs ?? DEFAULTS.maxLingerMs,
    maxBatchBytes: options.maxBatchBytes ?? DEFAULTS.maxBatchBytes,
    maxRequestBytes: DEFAULTS.maxRequestBytes,
    maxBufferedBytes: options.maxBufferedBytes ?? DEFAULTS.maxBufferedBytes,
    maxBufferedRecords: options.maxBufferedRecords ?? DEFAULTS.maxBufferedRecords,
    maxInFlight: options.maxInFlight ?? DEFAULTS.maxInFlight,
    deliveryTimeoutMs: options.deliveryTimeoutMs,
    retryBackoffMs: DEFAULTS.retryBackoffMs,
    fencePollMs: DEFAULTS.fencePollMs,
    mayStart: options.mayStart ?? (() => true),
    onRequest: options.onRequest ?? (() => {}),
    nowMs: () => performance.now(),
  };
}
