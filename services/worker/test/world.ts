import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  decodeDelivery,
  decodeJournal,
  decodeWait,
  encodeDelivery,
  encodeEvent,
  type Headers,
  type JournalEntry,
  mintEndpointId,
  mintEventId,
  parseTiers,
  topicNames,
  topicSpecs,
  withoutWait,
} from '@posthorn/contracts';
import {
  changeEndpointState,
  createEndpoint,
  createTenant,
  openDatabase,
  type Quotas,
  updateQuotas,
} from '@posthorn/db';
import {
  connectKafka,
  createAdmin,
  createConsumer,
  createProducer,
  type OutboundRecord,
  type TrackedRecord,
} from '@posthorn/kafka';
import { createLogger, createMetrics, createTracing, systemClock } from '@posthorn/runtime';
import { parseKeyRing, sealSecret } from '@posthorn/secrets';
import { generateSecret } from '@posthorn/signing';
import { AUTH_FIELD, headerField, type ReceiverAuth, SIGNING_SECRET_FIELD } from '@posthorn/tenant-config';
import { createSignalledList, databaseUrl, kafkaBrokers, topicPrefix } from '@posthorn/testkit';
import { readServiceConfig } from '../src/config.ts';
import { createWorker } from '../src/service.ts';

const TIERS = '50ms,200ms,1s';
const LANES = 4;
const JOURNAL_PARTITIONS = 2;
export const SECRETS_KEY = randomBytes(32).toString('base64');
const log = createLogger('worker-test', 'silent');

export interface Endpoint {
  readonly endpointId: string;
  readonly secret: string;
}

export interface Posted {
  readonly eventId: string;
  readonly headers: Headers;
}

/** Real topics and tables around a worker: the test plays the dispatcher, the releaser and the recorder. */
export async function startWorld(name: string) {
  const prefix = `${topicPrefix()}${name}.`;
  const topics = topicNames(prefix);
  const kafka = connectKafka({ brokers: [...kafkaBrokers()], clientId: 'worker-test' }, log);
  const database = openDatabase({ url: await databaseUrl(), pool: 2, applicationName: 'worker-test' });
  const admin = createAdmin(kafka);
  await admin.ensureTopics(
    topicSpecs({
      topicPrefix: prefix,
      tiers: parseTiers(TIERS),
      lanes: LANES,
      eventPartitions: 1,
      journalPartitions: JOURNAL_PARTITIONS,
      replicationFactor: 1,
      minInSyncReplicas: 1,
    }),
  );
  const producer = createProducer(kafka, { deliveryTimeoutMs: 5_000 });
  await producer.start();
  const seen = await watch(kafka, prefix);
  async function release({ headers: waiting, key, value }: TrackedRecord): Promise<void> {
    const headers = withoutWait(waiting);
    await producer.send({
      topic: topics.deliveries,
      partition: decodeDelivery(headers).lane,
      key,
      value,
      headers,
    });
  }
  return {
    topics,
    ...seen,
    admin,
    prefix,
    addTenant: (tenantId: string, quotas: Partial<Quotas> = {}, lanes: readonly number[] = [1]) =>
      addTenant(database, tenantId, quotas, lanes),
    addEndpoint: (tenantId: string, url: string, options: EndpointOptions = {}) =>
      addEndpoint(database, tenantId, url, options),
    setQuotas: (tenantId: string, quotas: Partial<Quotas>) => updateQuotas(database.sql, tenantId, quotas),
    pause: (tenantId: string, { endpointId }: Endpoint) =>
      changeEndpointState(database.sql, tenantId, endpointId, { state: 'paused', reason: 'person' }),
    sql: database.sql,
    post: (tenantId: string, endpoints: readonly Endpoint[], options: PostOptions = {}) =>
      post(producer.send, topics.deliveries, tenantId, endpoints, options),
    postRaw: (headers: Headers) =>
      producer.send({ topic: topics.deliveries, partition: 1, key: null, value: Buffer.from('{}'), headers }),
    /** Sends on what waits on a tier, as the releaser does, but at once. */
    release,
    /** The same after the wait that the record asks for, where the worker's own clock decides what becomes of it. */
    async releaseWhenDue(record: TrackedRecord): Promise<void> {
      await delay(decodeWait(record.headers).delayMs);
      await release(record);
    },
    startWorker: (environment: Record<string, string> = {}) => startWorker(prefix, environment),
    async close(): Promise<void> {
      await seen.consumer.stop();
      await producer.stop();
      await admin.deleteTopicsWithPrefix(prefix);
      await admin.close();
      await database.close();
    },
  };
}
export type World = Awaited<ReturnType<typeof startWorld>>;

async function watch(kafka: ReturnType<typeof connectKafka>, prefix: string) {
  const topics = topicNames(prefix);
  const waiting = createSignalledList<TrackedRecord>();
  const deadLetters = createSignalledList<TrackedRecord>();
  const entries = createSignalledList<JournalEntry>();
  const take = (record: TrackedRecord): void => {
    if (record.topic === topics.journal) for (const entry of decodeJournal(record.value)) entries.push(entry);
    else if (record.topic === topics.deadLetters) deadLetters.push(record);
    else waiting.push(record);
    record.complete();
  };
  const consumer = createConsumer(kafka, {
    groupId: `${prefix}watch`,
    topics: [topics.journal, topics.deadLetters, ...parseTiers(TIERS).map((tier) => topics.tier(tier))],
    assigned: () => ({
      offer(record) {
        take(record);
        return true;
      },
      lost() {},
    }),
    onFatal(error) {
      throw error;
    },
  });
  await consumer.start();
  return { waiting, deadLetters, entries, consumer };
}

async function addTenant(
  database: ReturnType<typeof openDatabase>,
  tenantId: string,
  quotas: Partial<Quotas>,
  lanes: readonly number[],
): Promise<void> {
  const made = await createTenant(database.sql, { tenantId, name: tenantId, lanes, quotas });
  if (made.kind !== 'created') throw new Error(`tenant ${tenantId} is there already`);
}

interface EndpointOptions {
  readonly retryScheduleMs?: readonly number[];
  readonly attemptTimeoutMs?: number;
  readonly method?: 'POST' | 'PUT';
  /** In the clear. */
  readonly headers?: Readonly<Record<string, string>>;
  /** In the clear. */
  readonly auth?: ReceiverAuth;
}

async function addEndpoint(
  database: ReturnType<typeof openDatabase>,
  tenantId: string,
  url: string,
  options: EndpointOptions,
): Promise<Endpoint> {
  const endpointId = mintEndpointId(Date.now());
  const secret = generateSecret();
  const seal = (field: string, text: string) =>
    sealSecret(parseKeyRing(SECRETS_KEY), { tenantId, endpointId, field }, text);
  const headers = Object.entries(options.headers ?? {});
  const made = await createEndpoint(database.sql, tenantId, {
    endpointId,
    url,
    description: '',
    eventTypes: ['*'],
    labels: {},
    sealedSecrets: [seal(SIGNING_SECRET_FIELD, secret)],
    method: options.method ?? 'POST',
    sealedHeaders: Object.fromEntries(headers.map(([name, value]) => [name, seal(headerField(name), value)])),
    ...(options.auth
      ? { auth: { type: options.auth.type }, sealedAuth: seal(AUTH_FIELD, JSON.stringify(options.auth)) }
      : {}),
    retryScheduleMs: options.retryScheduleMs ?? null,
    attemptTimeoutMs: options.attemptTimeoutMs ?? null,
  });
  if (made.kind !== 'created') throw new Error(`no endpoint for ${tenantId}: ${made.kind}`);
  return { endpointId, secret };
}

interface PostOptions {
  readonly payload?: string;
  readonly traceparent?: string;
  /** The lane of the tenant, 1 by default. */
  readonly lane?: number;
}

async function post(
  send: (record: OutboundRecord) => Promise<unknown>,
  topic: string,
  tenantId: string,
  endpoints: readonly Endpoint[],
  options: PostOptions,
): Promise<Posted> {
  const eventId = mintEventId(Date.now());
  const slots = endpoints.map((endpoint) => endpoint.endpointId);
  const lane = options.lane ?? 1;
  const headers = {
    ...encodeEvent({
      eventId,
      tenantId,
      type: 'order.created',
      labels: {},
      occurredAt: new Date().toISOString(),
      contentType: 'application/json',
      revision: 0,
      retentionDays: 30,
      traceparent: options.traceparent ?? '',
    }),
    ...encodeDelivery({ slots, run: 0, round: 0, attempt: 1, lane }),
  };
  const value = Buffer.from(options.payload ?? '{"total": 12345678901234567890}');
  await send({ topic, partition: lane, key: tenantId, value, headers });
  return { eventId, headers };
}

/** A worker service as it runs in production, but for the signals. */
async function startWorker(prefix: string, environment: Record<string, string>) {
  const config = readServiceConfig({
    KAFKA_BROKERS: kafkaBrokers().join(','),
    KAFKA_TOPIC_PREFIX: prefix,
    DATABASE_URL: await databaseUrl(),
    DATABASE_ROLE: 'posthorn_worker',
    LANES: String(LANES),
    EVENT_PARTITIONS: '1',
    JOURNAL_PARTITIONS: String(JOURNAL_PARTITIONS),
    RETRY_TIERS: TIERS,
    RETRY_SCHEDULE: '50ms,200ms',
    RETRY_JITTER_PERCENT: '0',
    SECRETS_KEY,
    EGRESS_ALLOWED_CIDRS: '127.0.0.0/8',
    ADMIN_PORT: '0',
    ...environment,
  });
  const lines: Record<string, unknown>[] = [];
  const worker = createWorker({
    config,
    log: createLogger('worker', 'info', { write: (line: string) => void lines.push(JSON.parse(line)) }),
    tracing: createTracing(null, { samplePercent: 0 }),
    clock: systemClock,
    metrics: createMetrics('worker'),
    onFatal(error) {
      throw error;
    },
  });
  await worker.lifecycle.start();
  return {
    lines,
    admin: (path: string) => fetch(`http://127.0.0.1:${worker.adminPort}${path}`),
    stop: () => worker.lifecycle.stop('test'),
  };
}
