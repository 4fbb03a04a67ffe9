import {
  deriveDeliveryId,
  mintEndpointId,
  OPERATOR_TENANT_ID,
  topicNames,
  topicSpecs,
} from '@posthorn/contracts';
import {
  createEndpoint,
  createTenant,
  type Database,
  findDelivery,
  listSetAside,
  openDatabase,
} from '@posthorn/db';
import { type Admin, connectKafka, createAdmin, createProducer, type Producer } from '@posthorn/kafka';
import { createLogger, createMetrics, systemClock } from '@posthorn/runtime';
import { databaseUrl, kafkaBrokers, startFaultProxy, topicPrefix, waitUntil } from '@posthorn/testkit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { readServiceConfig } from '../src/config.ts';
import { createRecorder } from '../src/service.ts';
import {
  attempted,
  deadLetter,
  deadLetterHeaders,
  dispatched,
  eventHeaders,
  journal,
  NOW_MS,
  newSubject,
  purged,
  type Subject,
  TENANT,
} from './entries.ts';

const PARTITIONS = 2;
const quiet = createLogger('recorder', 'silent');
const layout = { lanes: 1, eventPartitions: PARTITIONS, journalPartitions: PARTITIONS, tiers: [] };

let database: Database;
let admin: Admin;
let producer: Producer;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  database = openDatabase({ url: await databaseUrl(), pool: 2, applicationName: 'test' });
  const client = connectKafka({ brokers: [...kafkaBrokers()], clientId: 'test' }, quiet);
  admin = createAdmin(client);
  producer = createProducer(client, { deliveryTimeoutMs: 10_000 });
  await producer.start();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(async () => {
  await producer.stop();
  await admin.deleteTopicsWithPrefix(topicPrefix());
  await admin.close();
  await database.close();
});

let systems = 0;

/** Topics of their own, and a recorder that reads them. */
async function setup(environment: Record<string, string> = {}) {
  const prefix = `${topicPrefix()}${++systems}.`;
  const names = topicNames(prefix);
  const replicas = { replicationFactor: 1, minInSyncReplicas: 1 };
  await admin.ensureTopics(topicSpecs({ ...layout, ...replicas, topicPrefix: prefix }));
  const url = await databaseUrl();
  return {
    names,
    groupId: `${prefix}recorder`,
    start: async (over: Record<string, string> = {}) => {
      const config = readServiceConfig({
        KAFKA_BROKERS: kafkaBrokers().join(','),
        KAFKA_TOPIC_PREFIX: prefix,
        DATABASE_URL: url,
        DATABASE_ROLE: 'posthorn_recorder',
        LANES: '1',
        EVENT_PARTITIONS: String(PARTITIONS),
        JOURNAL_PARTITIONS: String(PARTITIONS),
        ADMIN_PORT: '0',
        RECORDER_LINGER_MS: '5',
        ...environment,
        ...over,
      });
      const recorder = createRecorder({
        config,
        log: quiet,
        clock: systemClock,
        metrics: createMetrics('recorder'),
        onFatal: (error) => {
          throw error;
        },
      });
      closing.push(() => recorder.lifecycle.stop('test ends'));
      await recorder.lifecycle.start();
      return recorder;
    },
    event: (subject: Subject, partition = 0) => ({
      topic: names.events,
      partition,
      key: null,
      value: Buffer.from('{"a":1}'),
      headers: eventHeaders(subject),
    }),
    journal: (...entries: unknown[]) => ({
      topic: names.journal,
      partition: 0,
      key: null,
      value: journal(...entries),
      headers: {},
    }),
    deadLetter: (subject: Subject) => ({
      topic: names.deadLetters,
      partition: 1,
      key: null,
      value: Buffer.from('{"a":1}'),
      headers: deadLetterHeaders(deadLetter(subject)),
    }),
  };
}

async function countOf(table: 'events' | 'deliveries' | 'attempts' | 'dead_letters', subjects: Subject[]) {
  const ids = subjects.map((subject) => subject.eventId);
  const [row] = await database.sql<{ count: number }[]>`
    select count(*)::int as count from ${database.sql(table)} where event_id = any(${ids}::uuid[])`;
  return row!.count;
}

test('what is read from the three topics is written, and committed once it is', async () => {
  const { start, names, groupId, ...make } = await setup();
  const subjects = Array.from({ length: 20 }, () => newSubject());
  await producer.sendAll([
    ...subjects.map((subject, i) => make.event(subject, i % PARTITIONS)),
    make.journal(...subjects.map((subject) => dispatched(subject))),
    make.journal(...subjects.map((subject) => attempted(subject, 'success'))),
    make.deadLetter(subjects[0]!),
  ]);
  const { lifecycle, adminPort } = await start();
  const all = async () =>
    (await countOf('events', subjects)) === 20 &&
    (await countOf('deliveries', subjects)) === 20 &&
    (await countOf('attempts', subjects)) === 20;
  await waitUntil(all, { what: '20 events, deliveries and attempts' });
  const ready = await fetch(`http://127.0.0.1:${adminPort}/readyz`);
  expect([ready.status, await ready.json()]).toMatchObject([
    200,
    { components: { kafka: 'up', postgres: 'up' } },
  ]);
  await lifecycle.stop('test');
  expect(await countOf('dead_letters', subjects)).toBe(0);
  const committed = await admin.fetchCommitted(groupId, [names.events, names.journal, names.deadLetters]);
  expect(committed.reduce((sum, { offset }) => sum + Math.max(0, offset), 0)).toBe(23);
});

test('with Postgres away it takes no more than its buffer, and writes all when it is back', async () => {
  const url = new URL(await databaseUrl());
  const proxy = await startFaultProxy({ targetPort: Number(url.port) });
  closing.push(() => proxy.close());
  url.host = `127.0.0.1:${proxy.port}`;
  const { start, ...make } = await setup({ DATABASE_URL: url.href, RECORDER_MAX_BUFFERED_RECORDS: '10' });
  const { metrics } = await start();
  const before = newSubject();
  await producer.sendAll([make.event(before)]);
  await waitUntil(async () => (await countOf('events', [before])) === 1, { what: 'the first event' });

  proxy.cut();
  const subjects = Array.from({ length: 60 }, () => newSubject());
  await producer.sendAll(subjects.map((subject, i) => make.event(subject, i % PARTITIONS)));
  const buffered = async () => (await metrics.bufferedRecords.get()).values[0]!.value;
  await waitUntil(async () => (await buffered()) === 10, { what: 'a full buffer' });
  const retries = async () => (await metrics.writeRetries.get()).values[0]!.value;
  await waitUntil(async () => (await retries()) > 1, { what: 'a second try' });
  expect(await buffered()).toBe(10);
  expect(await countOf('events', subjects)).toBe(0);

  proxy.heal();
  await waitUntil(async () => (await countOf('events', subjects)) === 60, { what: 'all events' });
});

test('a record that cannot be written is kept where people see it, and those behind it are written', async () => {
  const { start, names, ...make } = await setup();
  const [first, last] = [newSubject(), newSubject()];
  const refused = { ...attempted(newSubject(), 'success'), attemptId: 'no uuid' };
  await producer.sendAll([
    { ...make.event(first), headers: { ph_v: '99' } },
    make.journal(attempted(first, 'success'), refused, attempted(last, 'success')),
    make.event(last),
  ]);
  await start();
  await waitUntil(async () => (await countOf('events', [last])) === 1, { what: 'the event behind' });
  await waitUntil(async () => (await countOf('attempts', [first, last])) === 2, { what: 'the good entries' });
  const reasons = await waitUntil(
    async () => {
      const rows = (await listSetAside(database.sql)).filter((row) =>
        row.topic.startsWith(names.events.slice(0, -6)),
      );
      return rows.length === 2 && rows.map(({ topic, reason }) => [topic, reason]);
    },
    { what: 'two records set aside' },
  );
  expect(reasons).toContainEqual([names.events, 'ph_v is "99", not 1']);
  expect(reasons).toContainEqual([names.journal, '1 entries of an unknown kind or shape']);
});

test('what was cancelled is marked, and the operator is told of a dead letter by an event of his own', async () => {
  const { start, ...make } = await setup();
  const [waiting, dead] = [newSubject(), newSubject()];
  await createTenant(database.sql, { tenantId: TENANT, name: '', lanes: [1] });
  const endpointId = mintEndpointId(NOW_MS);
  await createEndpoint(database.sql, OPERATOR_TENANT_ID, {
    endpointId,
    url: 'https://example.com/operator',
    description: '',
    eventTypes: ['posthorn.*'],
    labels: {},
    sealedSecrets: [],
    retryScheduleMs: null,
    attemptTimeoutMs: null,
  });
  await producer.sendAll([
    make.event(waiting),
    make.journal(dispatched(waiting), purged()),
    make.deadLetter(dead),
  ]);
  await start();
  const deliveryId = deriveDeliveryId(waiting.eventId, waiting.endpointId, 0);
  const state = async () => (await findDelivery(database.sql, TENANT, deliveryId))?.state;
  await waitUntil(async () => (await state()) === 'cancelled', { what: 'the cancelled delivery' });
  const told = await waitUntil(
    async () => {
      const rows = await database.sql<{ type: string; payload: Buffer }[]>`
        select type, payload from events where tenant_id = ${OPERATOR_TENANT_ID}`;
      return rows.length > 0 && rows;
    },
    { what: 'the event that was read back' },
  );
  expect(told.map(({ type, payload }) => [type, JSON.parse(payload.toString())])).toMatchObject([
    ['posthorn.dead_letter.created', { tenant_id: TENANT, event_id: dead.eventId }],
  ]);
});
