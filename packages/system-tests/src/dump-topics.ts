import { randomBytes } from 'node:crypto';
import { parseTiers, topicSpecs } from '@posthorn/contracts';
import {
  connectKafka,
  createAdmin,
  createConsumer,
  type KafkaLog,
  type TrackedRecord,
} from '@posthorn/kafka';
import { createSignalledList, kafkaBrokers } from '@posthorn/testkit';

const silent: KafkaLog = { debug() {}, info() {}, warn() {}, error() {} };
/** Names alone are asked for. */
const ANY = {
  lanes: 1,
  eventPartitions: 1,
  journalPartitions: 1,
  replicationFactor: 1,
  minInSyncReplicas: 1,
};

/** Every record that the topics of a system hold, as text: place, key, headers, value. */
export async function dumpTopics(topicPrefix: string, tiers: string): Promise<string> {
  const kafka = connectKafka({ brokers: [...kafkaBrokers()], clientId: 'dump' }, silent);
  const admin = createAdmin(kafka);
  const records = createSignalledList<TrackedRecord>();
  const topics = topicSpecs({ ...ANY, topicPrefix, tiers: parseTiers(tiers) }).map(({ name }) => name);
  const offer = (record: TrackedRecord): boolean => {
    records.push(record);
    record.complete();
    return true;
  };
  const consumer = createConsumer(kafka, {
    groupId: `${topicPrefix}dump-${randomBytes(4).toString('hex')}`,
    topics,
    assigned: () => ({ offer, lost: () => undefined }),
    onFatal: (error) => {
      throw error;
    },
  });
  try {
    const ends = (await Promise.all(topics.map((topic) => admin.endOffsets(topic)))).flat();
    const held = ends.reduce((sum, { low, high }) => sum + high - low, 0);
    await consumer.start();
    const what = `${held} records of ${topics.length} topics`;
    await records.waitFor(() => records.items.length >= held, { what, timeoutMs: 30_000 });
    return records.items.map(toText).join('\n');
  } finally {
    await consumer.stop();
    await admin.close();
  }
}

const toText = ({ topic, partition, offset, key, headers, value }: TrackedRecord): string =>
  `${topic}/${partition}@${offset} ${key} ${JSON.stringify(headers)} ${value.toString('latin1')}`;
