import { randomBytes } from 'node:crypto';
import {
  acceptedAtMs,
  deriveDeliveryId,
  type EventMeta,
  encodeEvent,
  type Labels,
  mintEndpointId,
  mintEventId,
  type TopicNames,
  tenantPartition,
  topicSpecs,
} from '@posthorn/contracts';
import {
  createEndpoint,
  createTenant,
  type Database,
  openDatabase,
  recordDay,
  recordEvents,
  type Sql,
} from '@posthorn/db';
import {
  type Admin,
  connectKafka,
  createAdmin,
  createConsumer,
  createProducer,
  type KafkaClient,
  type Producer,
  type TrackedRecord,
} from '@posthorn/kafka';
import { createLogger, createMetrics, systemClock } from '@posthorn/runtime';
import {
  createSignalledList,
  databaseUrl,
  kafkaBrokers,
  type SignalledList,
  topicPrefix,
} from '@posthorn/testkit';
import { type DispatcherConfig, readServiceConfig } from '../src/config.ts';
import { namesOf } from '../src/phases.ts';
import { createDispatcher, type Dispatcher } from '../src/service.ts';
import { eventMeta, noTracing } from './fakes.ts';

export const LANE = 3;

/** Topics, a database with one tenant, a producer and readers: all that surrounds a dispatcher. */
export interface Surroundings {
  readonly config: DispatcherConfig;
  readonly names: TopicNames;
  readonly kafka: KafkaClient;
  readonly admin: Admin;
  readonly database: Database;
  readonly producer: Producer;
  /** Everything that is written to a topic from now on. */
  read(topic: string): Promise<SignalledList<TrackedRecord>>;
  addEndpoint(
    eventTypes: readonly string[],
    labels?: Labels,
  ): Promise<{ endpointId: string; revision: number }>;
  postEvent(given: Partial<EventMeta>, value?: Buffer): Promise<EventMeta>;
  /** Puts the event into the record, as the recorder would. */
  recordEvent(event: EventMeta, payload: Buffer): Promise<void>;
  /** Puts a delivery that has failed into the record, with its event and its dead letter where there is a payload. */
  recordDeadLetter(event: EventMeta, endpointId: string, payload?: Buffer): Promise<{ deliveryId: string }>;
  startDispatcher(environment?: Record<string, string>): Promise<Dispatcher>;
  stop(): Promise<void>;
}

export async function setUp(more: Record<string, string> = {}): Promise<Surroundings> {
  const environment = {
    KAFKA_BROKERS: kafkaBrokers().join(),
    DATABASE_URL: await databaseUrl(),
    DATABASE_ROLE: 'posthorn_dispatcher',
    KAFKA_TOPIC_PREFIX: topicPrefix(),
    RETRY_TIERS: '50ms,200ms,2s',
    LANES: '4',
    EVENT_PARTITIONS: '2',
    JOURNAL_PARTITIONS: '1',
    REPLAY_JOB_POLL_MS: '100',
    ADMIN_PORT: '0',
    SECRETS_KEY: randomBytes(32).toString('base64'),
    ...more,
  };
  const config = readServiceConfig(environment);
  const names = namesOf(config);
  const log = createLogger('dispatcher', 'silent');
  const kafka = connectKafka({ brokers: [...config.kafkaBrokers], clientId: 'dispatcher-test' }, log);
  const admin = createAdmin(kafka);
  await admin.ensureTopics(topicSpecs(config));
  const database = openDatabase({ url: config.databaseUrl, pool: 2, applicationName: 'dispatcher-test' });
  const producer = createProducer(kafka, { deliveryTimeoutMs: 5_000 });
  await producer.start();
  await createTenant(database.sql, { tenantId: 'acme', name: 'Acme', lanes: [LANE] });

  const stops: Array<() => Promise<void>> = [];
  return {
    config,
    names,
    kafka,
    admin,
    database,
    producer,
    async read(topic) {
      const records = createSignalledList<TrackedRecord>();
      const offer = (record: TrackedRecord): boolean => {
        records.push(record);
        record.complete();
        return true;
      };
      const consumer = createConsumer(kafka, {
        groupId: `${config.topicPrefix}reader-${topic}`,
        topics: [topic],
        assigned: () => ({ offer, lost: () => undefined }),
        onFatal: (error) => {
          throw error;
        },
      });
      await consumer.start();
      stops.push(() => consumer.stop());
      return records;
    },
    async addEndpoint(eventTypes, labels = {}) {
      const endpointId = mintEndpointId(Date.now());
      const created = await createEndpoint(database.sql, 'acme', {
        endpointId,
        url: 'https://example.com/',
        description: '',
        eventTypes,
        labels,
        sealedSecrets: [],
        retryScheduleMs: null,
        attemptTimeoutMs: null,
      });
      if (created.kind !== 'created') throw new Error(created.kind);
      return { endpointId, revision: created.change };
    },
    async postEvent(given, value = Buffer.from('{}')) {
      const event = eventMeta({ eventId: mintEventId(Date.now()), ...given });
      const partition = tenantPartition(event.tenantId, config.eventPartitions);
      const headers = encodeEvent(event);
      await producer.send({ topic: names.events, partition, key: event.tenantId, value, headers });
      return event;
    },
    recordEvent: (event, payload) => recordEvent(database.sql, event, payload),
    async recordDeadLetter(event, endpointId, payload) {
      if (payload) await recordEvent(database.sql, event, payload);
      return recordDeadLetter(database.sql, event, endpointId, payload !== undefined);
    },
    async startDispatcher(more = {}) {
      const dispatcher = createDispatcher({
        config: readServiceConfig({ ...environment, ...more }),
        log,
        tracing: noTracing,
        clock: systemClock,
        metrics: createMetrics('dispatcher'),
        onFatal: (error) => {
          throw error;
        },
      });
      stops.push(() => dispatcher.lifecycle.stop('the test is over'));
      await dispatcher.lifecycle.start();
      return dispatcher;
    },
    async stop() {
      await Promise.all(stops.map((stop) => stop()));
      await producer.stop();
      await admin.deleteTopicsWithPrefix(config.topicPrefix);
      await admin.close();
      await database.close();
    },
  };
}

async function recordEvent(sql: Sql, event: EventMeta, payload: Buffer): Promise<void> {
  await recordEvents(sql, {
    tenantId: [event.tenantId],
    eventId: [event.eventId],
    type: [event.type],
    labels: [JSON.stringify(event.labels)],
    contentType: [event.contentType],
    payload: [payload],
    occurredAtMs: [Date.parse(event.occurredAt)],
    acceptedAtMs: [acceptedAtMs(event.eventId)],
    revision: [event.revision],
    retentionDays: [event.retentionDays],
    clientEventId: [null],
    day: [recordDay(event.eventId)],
  });
}

async function recordDeadLetter(
  sql: Sql,
  event: EventMeta,
  endpointId: string,
  listed: boolean,
): Promise<{ deliveryId: string }> {
  const deliveryId = deriveDeliveryId(event.eventId, endpointId, 0);
  const day = new Date(acceptedAtMs(event.eventId));
  await sql`
    insert into deliveries (tenant_id, delivery_id, event_id, endpoint_id, event_type, run, state, round, attempt,
                            standing, updated_at, retention_days, day)
    values (${event.tenantId}, ${deliveryId}, ${event.eventId}::uuid, ${endpointId}, ${event.type}, 0, 'failed', 0,
            6, 1, now(), 30, ${day}::date)`;
  if (listed) {
    await sql`
      insert into dead_letters (delivery_id, tenant_id, endpoint_id, event_id, event_type, run, round, standing,
                                reason, last_failure, last_status, last_error, attempts, failed_at, topic,
                                partition, "offset", retention_days, day)
      values (${deliveryId}, ${event.tenantId}, ${endpointId}, ${event.eventId}::uuid, ${event.type}, 0, 0, 1,
              'attempts_exhausted', 'http_5xx', 503, '', 6, now() - interval '1 minute', 'dead-letters', 0, 0, 30,
              ${day}::date)`;
  }
  return { deliveryId };
}
