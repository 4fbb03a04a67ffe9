import { type TopicNames, topicNames, topicSpecs } from '@posthorn/contracts';
import { type Database, openDatabase } from '@posthorn/db';
import {
  type Consumer,
  connectKafka,
  createConsumer,
  createProducer,
  refuseUnsafeTopics,
} from '@posthorn/kafka';
import {
  type Clock,
  createAdminPart,
  createLifecycle,
  databaseOptions,
  type HealthCheck,
  kafkaConnection,
  type Lifecycle,
  type Logger,
  type Metrics,
} from '@posthorn/runtime';
import type { RecorderConfig } from './config.ts';
import { createIntake, type Intake } from './consume/intake.ts';
import { createStore } from './create-store.ts';
import { createRecorderMetrics, type RecorderMetrics, type SourceTopic } from './metrics.ts';
import { createRetention } from './retention.ts';
import { createSideWork } from './side-work.ts';
import { createBatchWriter } from './write-batches.ts';

/** How long a stop or a rebalance waits for what is queued. */
export const DRAIN_TIMEOUT_MS = 3_000;
const HEARTBEAT_LOST_MS = 20_000;
const PUBLISH_TIMEOUT_MS = 10_000;
const HOUR_MS = 3_600_000;

export interface RecorderOptions {
  readonly config: RecorderConfig;
  readonly log: Logger;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** The consumer is dead and will not come back by itself: end the process. */
  onFatal(error: Error): void;
}

export interface Recorder {
  readonly lifecycle: Lifecycle;
  /** Where health and metrics are served; undefined before the start. */
  readonly adminPort: number | undefined;
  readonly metrics: RecorderMetrics;
}

/** Reads what happened from `events`, `journal` and `dead-letters`, keeps the record of it in Postgres, and tells of it. */
export function createRecorder(options: RecorderOptions): Recorder {
  const { config, log, clock } = options;
  const names = topicNames(config.topicPrefix);
  const read = new Set([names.events, names.journal, names.deadLetters]);
  const sourceOf = sourceTopics(names);
  const metrics = createRecorderMetrics(options.metrics, {
    bufferedRecords: () => intake.records,
    bufferedBytes: () => intake.bytes,
    lag: () => lagByTopic(consumer, sourceOf),
  });
  const database = openDatabase({ ...databaseOptions(config, 'posthorn-recorder'), log });
  const kafka = connectKafka(kafkaConnection(config, 'posthorn-recorder'), log);
  const intake: Intake = createIntake({
    maxRecords: config.maxBufferedRecords,
    maxBytes: config.maxBufferedBytes,
    resume: (topic, partition) => consumer.resume(topic, partition),
  });
  const store = createStore({
    database,
    metrics,
    clock,
    log,
    failingForMs: config.autoDisableAfterHours * HOUR_MS,
    onAnnounced: () => sideWork.publishSoon(),
  });
  const { batchRows, lingerMs, eventPartitions } = config;
  const writer = createBatchWriter({ intake, store, sourceOf, batchRows, lingerMs, metrics, clock, log });
  const producer = createProducer(kafka, { deliveryTimeoutMs: PUBLISH_TIMEOUT_MS });
  const sideWork = createSideWork({ database, producer, topics: names, eventPartitions, metrics, log });
  const drain = () => writer.drain(DRAIN_TIMEOUT_MS);
  const consumer: Consumer = createConsumer(kafka, {
    groupId: `${config.topicPrefix}recorder`,
    topics: [...read],
    assigned: (topic, partition) => intake.assigned(topic, partition),
    beforeRejoin: drain,
    fetch: { minBytes: 256 * 1024, maxWaitMs: 100 },
    // Rows are idempotent: what is read again is written again to no effect.
    commitIntervalMs: { min: 200, max: 500 },
    onFatal: options.onFatal,
  });

  const admin = createAdminPart({
    host: config.adminHost,
    port: config.adminPort,
    log,
    metrics: options.metrics,
    checks: healthChecks(database, consumer),
    isReady: () => lifecycle.mode === 'running',
  });
  const specs = topicSpecs(config).filter((spec) => read.has(spec.name));
  // Stopped from the end: first nothing new is read, then what is queued is written, then connections close.
  const parts = [
    { name: 'postgres', stop: () => database.close() },
    admin,
    { name: 'topics', start: () => refuseUnsafeTopics(kafka, specs) },
    { name: 'retention', ...createRetention({ database, clock, metrics, log }) },
    { name: 'producer', start: () => producer.start(), stop: () => producer.stop() },
    {
      name: 'side work',
      start: async () => sideWork.start(),
      stop: () => sideWork.stop(DRAIN_TIMEOUT_MS),
    },
    { name: 'writer', start: () => writer.start(), stop: () => writer.stop() },
    { name: 'consumer', start: () => consumer.start(), stop: () => consumer.stop({ drain }) },
  ];
  const lifecycle = createLifecycle(parts, log);
  return {
    lifecycle,
    metrics,
    get adminPort() {
      return admin.port;
    },
  };
}

function sourceTopics(names: TopicNames): (topic: string) => SourceTopic {
  const sources = new Map<string, SourceTopic>([
    [names.events, 'events'],
    [names.journal, 'journal'],
    [names.deadLetters, 'dead_letters'],
  ]);
  return (topic) => sources.get(topic)!;
}

function lagByTopic(
  consumer: Consumer,
  sourceOf: (topic: string) => SourceTopic,
): Record<SourceTopic, number> {
  const lags: Record<SourceTopic, number> = { events: 0, journal: 0, dead_letters: 0 };
  for (const { topic, lag } of consumer.stats().partitions) lags[sourceOf(topic)] += lag ?? 0;
  return lags;
}

function healthChecks(database: Database, consumer: Consumer): HealthCheck[] {
  return [
    {
      name: 'kafka',
      required: true,
      isUp: () => {
        const ageMs = consumer.stats().lastHeartbeatAgeMs;
        return ageMs !== null && ageMs < HEARTBEAT_LOST_MS;
      },
    },
    { name: 'postgres', required: false, isUp: () => database.ping() },
  ];
}
