import { type TopicNames, topicNames, topicSpecs } from '@posthorn/contracts';
import { type Database, isDataError, openDatabase, setAside, within } from '@posthorn/db';
import { type Consumer, connectKafka, createAdmin, createConsumer, type KafkaClient } from '@posthorn/kafka';
import {
  type AdminServer,
  type Clock,
  type HealthCheck,
  type Logger,
  type Part,
  startAdminServer,
} from '@posthorn/runtime';
import type { RecorderConfig } from './config.ts';
import { createIntake, type Intake } from './consume/intake.ts';
import type { Item } from './consume/read-record.ts';
import { createRecorderMetrics, type RecorderMetrics, type SourceTopic } from './metrics.ts';
import { gatherRows, recordBatch } from './record-batch.ts';
import { createRetention } from './retention.ts';
import { createBatchWriter, type Store } from './write-batches.ts';

/** A transaction that has no answer by then is given up and sent again. */
export const WRITE_TIMEOUT_MS = 30_000;
/** How long a stop or a rebalance waits for what is queued. */
export const DRAIN_TIMEOUT_MS = 3_000;
const HEARTBEAT_LOST_MS = 20_000;

export interface RecorderService {
  /** In the order of their start. */
  readonly parts: readonly Part[];
  readonly metrics: RecorderMetrics;
  /** Of the admin server, once it has started. */
  readonly adminPort: number | undefined;
}

export function createRecorderService(options: {
  readonly config: RecorderConfig;
  readonly log: Logger;
  readonly clock: Clock;
  readonly isReady: () => boolean;
  readonly onFatal: (error: Error) => void;
}): RecorderService {
  const { config, log, clock } = options;
  const names = topicNames(config.topicPrefix);
  const sourceOf = sourceTopics(names);
  const metrics = createRecorderMetrics({
    bufferedRecords: () => intake.records,
    bufferedBytes: () => intake.bytes,
    lag: () => lagByTopic(consumer, sourceOf),
  });
  const database = openDatabase({
    url: config.databaseUrl,
    pool: config.databasePool,
    applicationName: 'posthorn-recorder',
    log,
  });
  const kafka = connectKafka({ brokers: [...config.kafkaBrokers], clientId: 'posthorn-recorder' }, log);
  const intake: Intake = createIntake({
    maxRecords: config.maxBufferedRecords,
    maxBytes: config.maxBufferedBytes,
    resume: (topic, partition) => consumer.resume(topic, partition),
  });
  const writer = createBatchWriter({
    intake,
    store: createStore(database, metrics),
    sourceOf,
    batchRows: config.batchRows,
    lingerMs: config.lingerMs,
    metrics,
    clock,
    log,
  });
  const drain = () => writer.drain(DRAIN_TIMEOUT_MS);
  const consumer: Consumer = createConsumer(kafka, {
    groupId: `${config.topicPrefix}recorder`,
    topics: [names.events, names.journal, names.deadLetters],
    assigned: (topic, partition) => intake.assigned(topic, partition),
    beforeRejoin: drain,
    fetch: { minBytes: 64 * 1024, maxWaitMs: 50 },
    onFatal: options.onFatal,
  });

  let admin: AdminServer | undefined;
  return {
    metrics,
    get adminPort() {
      return admin?.port;
    },
    parts: [
      { name: 'database', stop: () => database.close() },
      {
        name: 'admin server',
        start: async () => {
          admin = await startAdminServer({
            host: config.adminHost,
            port: config.adminPort,
            metrics: metrics.all,
            checks: healthChecks(database, consumer),
            isReady: options.isReady,
          });
        },
        stop: () => admin?.stop(),
      },
      { name: 'topics', start: () => checkTopics(kafka, config, names) },
      { name: 'retention', ...createRetention({ database, clock, metrics, log }) },
      { name: 'writer', start: () => writer.start(), stop: () => writer.stop() },
      { name: 'consumer', start: () => consumer.start(), stop: () => consumer.stop({ drain }) },
    ],
  };
}

function createStore(database: Database, metrics: RecorderMetrics): Store {
  return {
    async write(items: readonly Item[]) {
      const written = await within(WRITE_TIMEOUT_MS, recordBatch(database.sql, gatherRows(items)));
      metrics.rows.inc({ table: 'events' }, written.events);
      metrics.rows.inc({ table: 'deliveries' }, written.deliveries);
      metrics.rows.inc({ table: 'attempts' }, written.attempts);
      metrics.rows.inc({ table: 'dead_letters' }, written.deadLetters);
      metrics.deadLettersRemoved.inc({ reason: 'replayed' }, written.replayed);
      metrics.deadLettersRemoved.inc({ reason: 'drop_oldest' }, written.trimmed);
    },
    setAside: (record) => within(WRITE_TIMEOUT_MS, setAside(database.sql, record)),
    isDataError: (error) => error instanceof TypeError || error instanceof RangeError || isDataError(error),
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
      state: () => {
        const age = consumer.stats().lastHeartbeatAgeMs;
        return age !== null && age < HEARTBEAT_LOST_MS ? 'up' : 'down';
      },
    },
    { name: 'postgres', required: false, state: async () => ((await database.ping()) ? 'up' : 'down') },
  ];
}

/** @throws Error when a topic that it reads is missing or set so that a promise breaks. */
async function checkTopics(kafka: KafkaClient, config: RecorderConfig, names: TopicNames): Promise<void> {
  const read = new Set([names.events, names.journal, names.deadLetters]);
  const admin = createAdmin(kafka);
  try {
    const specs = topicSpecs({ ...config, prefix: config.topicPrefix }).filter((spec) => read.has(spec.name));
    const faults = await admin.checkTopics(specs.map((spec) => ({ ...spec, config: { ...spec.config } })));
    if (faults.length > 0) throw new Error(`topics break a promise: ${faults.join('; ')}`);
  } finally {
    await admin.close();
  }
}
