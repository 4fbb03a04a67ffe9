import { randomBytes } from 'node:crypto';
import { mintKey, parseTiers, topicNames, topicSpecs } from '@posthorn/contracts';
import { type Database, openDatabase, processActor, type Quotas } from '@posthorn/db';
import { connectKafka, createAdmin, createConsumer, type TrackedRecord } from '@posthorn/kafka';
import { createLogger, createMetrics, createTracing, systemClock } from '@posthorn/runtime';
import {
  createSignalledList,
  databaseUrl,
  type FaultProxy,
  kafkaBrokers,
  type SignalledList,
  startFaultProxy,
  topicPrefix,
} from '@posthorn/testkit';
import { actWithin } from '../src/access/act-within.ts';
import { readServiceConfig } from '../src/config.ts';
import { createIngest, type Ingest } from '../src/service.ts';
import { openStore } from '../src/store.ts';
import { OPERATOR_KEY } from './setup.ts';

export const EVENT_PARTITIONS = 2;
export const LANES = 4;
const JOURNAL_PARTITIONS = 1;
const TIERS = '50ms';

export const names = topicNames(topicPrefix());
export const log = createLogger('ingest', 'silent');
export const tracing = createTracing(null, { samplePercent: 0 });

export interface Answer {
  readonly status: number;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely
  readonly body: any;
}

/** Two replicas on topics and a database of their own; the second reaches Postgres through a proxy. */
export interface Replicas {
  readonly first: Ingest;
  readonly second: Ingest;
  readonly database: Database;
  readonly postgres: FaultProxy;
  /** One more, beside them. */
  start(): Promise<Ingest>;
  /** Straight into Postgres: over the API each would wait for both replicas. */
  createTenant(quotas?: Partial<Quotas>): Promise<{ tenantId: string; key: string }>;
  /** What the topics had so far. */
  readonly records: readonly TrackedRecord[];
  /** The first record of these topics that fits, also of those before the call. */
  recordWhere(fits: (record: TrackedRecord) => boolean, what: string): Promise<TrackedRecord>;
  close(): Promise<void>;
}

export async function startReplicas(): Promise<Replicas> {
  const direct = new URL(await databaseUrl());
  const database = openDatabase({ url: direct.href, pool: 3, applicationName: 'ingest-test' });
  const postgres = await startFaultProxy({ targetPort: Number(direct.port) });
  const proxied = new URL(direct);
  proxied.port = String(postgres.port);
  const client = connectKafka({ brokers: [...kafkaBrokers()], clientId: 'ingest-test' }, log);
  await createTopics(client);
  const records = createSignalledList<TrackedRecord>();
  const consumer = follow(client, records);
  await consumer.start();
  const secretsKey = randomBytes(32).toString('base64');
  const first = createReplica(direct.href, secretsKey);
  const second = createReplica(proxied.href, secretsKey);
  await Promise.all([first.lifecycle.start(), second.lifecycle.start()]);
  let made = 0;
  return {
    first,
    second,
    database,
    postgres,
    async start() {
      const replica = createReplica(direct.href, secretsKey);
      await replica.lifecycle.start();
      return replica;
    },
    async createTenant(quotas = {}) {
      made += 1;
      const tenantId = `tenant-${made}`;
      const key = mintKey('tenant');
      const tenant = { tenantId, name: '', lanes: [1], quotas };
      const create = () => openStore(database, database).tenants.create(tenant, key, processActor('test'));
      const created = await actWithin(null, create);
      if (created.kind !== 'created') throw new Error(`${tenantId} is there already`);
      return { tenantId, key: key.key };
    },
    records: records.items,
    async recordWhere(fits, what) {
      await records.waitFor(() => records.items.some(fits), { what });
      return records.items.find(fits)!;
    },
    async close() {
      postgres.heal();
      await Promise.all([first.lifecycle.stop('end'), second.lifecycle.stop('end')]);
      await consumer.stop();
      await database.close();
      await postgres.close();
    },
  };
}

async function createTopics(client: ReturnType<typeof connectKafka>): Promise<void> {
  const admin = createAdmin(client);
  const layout = { lanes: LANES, eventPartitions: EVENT_PARTITIONS, journalPartitions: JOURNAL_PARTITIONS };
  const replicas = { replicationFactor: 1, minInSyncReplicas: 1 };
  await admin.ensureTopics(
    topicSpecs({ ...layout, ...replicas, topicPrefix: topicPrefix(), tiers: parseTiers(TIERS) }),
  );
  await admin.close();
}

function follow(client: ReturnType<typeof connectKafka>, list: SignalledList<TrackedRecord>) {
  return createConsumer(client, {
    groupId: `${topicPrefix()}reader`,
    topics: [names.events, names.replay, names.journal],
    assigned: () => ({
      offer(record) {
        list.push(record);
        record.complete();
        return true;
      },
      lost: () => undefined,
    }),
    onFatal: (error) => {
      throw error;
    },
  });
}

function createReplica(url: string, secretsKey: string): Ingest {
  const config = readServiceConfig({
    DATABASE_URL: url,
    DATABASE_ROLE: 'posthorn_ingest',
    KAFKA_BROKERS: kafkaBrokers().join(','),
    KAFKA_TOPIC_PREFIX: topicPrefix(),
    LANES: String(LANES),
    EVENT_PARTITIONS: String(EVENT_PARTITIONS),
    JOURNAL_PARTITIONS: String(JOURNAL_PARTITIONS),
    RETRY_TIERS: TIERS,
    PORT: '0',
    ADMIN_PORT: '0',
    OPERATOR_KEY,
    SECRETS_KEY: secretsKey,
    EGRESS_ALLOWED_CIDRS: '127.0.0.0/8',
  });
  return createIngest({ config, log, tracing, clock: systemClock, metrics: createMetrics('ingest') });
}

export async function call(
  ingest: Ingest,
  method: string,
  path: string,
  body?: unknown,
  key = OPERATOR_KEY,
): Promise<Answer> {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(`http://127.0.0.1:${ingest.port}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(text === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(text === undefined ? {} : { body: text }),
  });
  const answer = await response.text();
  return { status: response.status, text: answer, body: answer === '' ? null : JSON.parse(answer) };
}
