import { type Consumer, connectKafka, createAdmin, createConsumer, createProducer } from '@posthorn/kafka';
import { kafkaConnection } from '@posthorn/runtime';
import { kafkaBrokers, securedInfra, topicPrefix } from '@posthorn/testkit';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { grantKafkaRules, readRightsTable } from './kafka-rules.ts';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const TOPICS = [
  'events',
  'inbound',
  'deliveries',
  'overflow',
  'journal',
  'dead-letters',
  'replay',
  'retry.1s',
];
const secured = securedInfra();

function connectAs(username: string) {
  const config = {
    kafkaBrokers: [secured!.kafkaByAccount],
    kafkaTls: 'on',
    kafkaCaFile: secured!.caFile,
    kafkaCertFile: '',
    kafkaKeyFile: '',
    kafkaSaslMechanism: 'scram-sha-256',
    kafkaSaslUsername: username,
    kafkaSaslPassword: secured!.password,
    kafkaPlainWithoutTls: false,
  } as const;
  return connectKafka(kafkaConnection(config, 'test'), SILENT);
}

/** Which of the topics take a record of his. */
async function writable(username: string): Promise<string[]> {
  const producer = createProducer(connectAs(username), { deliveryTimeoutMs: 30_000 });
  onTestFinished(() => producer.stop());
  await producer.start();
  const tries = TOPICS.map(async (name) => {
    const record = { partition: 0, key: null, value: Buffer.from('x'), headers: {} };
    const refused = await producer.send({ ...record, topic: `${topicPrefix()}${name}` }).then(
      () => false,
      (error: Error) => /TOPIC_AUTHORIZATION_FAILED/.test(error.message) || Promise.reject(error),
    );
    return refused ? [] : [name];
  });
  return (await Promise.all(tries)).flat();
}

/** Which of the groups' offsets he may ask for. */
async function visible(username: string, groups: readonly string[]): Promise<string[]> {
  const admin = createAdmin(connectAs(username));
  onTestFinished(() => admin.close());
  const tries = groups.map(async (name) => {
    const refused = await admin.fetchCommitted(`${topicPrefix()}${name}`, []).then(
      () => false,
      (error: Error) => /find group coordinator/.test(error.message) || Promise.reject(error),
    );
    return refused ? [] : [name];
  });
  return (await Promise.all(tries)).flat();
}

/** Takes nothing: what is of interest is how it ends. */
function consumeAs(username: string, groupId: string, onFatal: (error: Error) => void): Consumer {
  const assigned = () => ({ offer: () => false, lost() {} });
  const topics = [`${topicPrefix()}events`];
  const consumer = createConsumer(connectAs(username), { groupId, topics, assigned, onFatal });
  onTestFinished(() => consumer.stop());
  return consumer;
}

beforeAll(async () => {
  if (secured === undefined) return;
  const admin = createAdmin(connectKafka({ brokers: [...kafkaBrokers()], clientId: 'test' }, SILENT));
  const names = TOPICS.map((name) => `${topicPrefix()}${name}`);
  await admin.ensureTopics(names.map((name) => ({ name, partitions: 1, replicationFactor: 1, config: {} })));
  await admin.close();
  await grantKafkaRules(kafkaBrokers(), topicPrefix());
});

test.runIf(secured)(
  'a service may write to the topics of the table alone, and be of its groups alone',
  async () => {
    const table = readRightsTable();
    const groups = table.flatMap((rights) => rights.groups.map(short));
    const seen = await Promise.all(
      table.map(async ({ service }) => ({
        service,
        writes: (await writable(service)).sort(),
        groups: (await visible(service, groups)).sort(),
      })),
    );
    const shown = table.map((rights) => ({
      service: rights.service,
      writes: rights.writes.map((name) => short(name).replace('retry.*', 'retry.1s')),
      groups: rights.groups.map(short),
    }));
    expect(seen).toEqual(shown);
  },
);

test.runIf(secured)('a consumer without a right to its group ends and says so', async () => {
  const groupId = `${topicPrefix()}somebody-elses`;
  const started = consumeAs(secured!.accounts.dispatcher, groupId, () => {}).start();
  await expect(started).rejects.toThrow(`no right to the consumer group ${groupId}`);
});

test.runIf(secured)('a consumer without a right to a topic ends and says so', async () => {
  const { promise: fatal, resolve: onFatal } = Promise.withResolvers<Error>();
  await consumeAs(secured!.accounts.worker, `${topicPrefix()}worker`, onFatal).start();
  expect((await fatal).message).toContain('Not authorized to access topics');
});

const short = (name: string): string => name.replace(/^posthorn\./, '');
