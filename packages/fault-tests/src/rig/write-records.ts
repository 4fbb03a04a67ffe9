import { randomBytes } from 'node:crypto';
import { createConsumer, createProducer, type OutboundRecord } from '@posthorn/kafka';
import { connect } from './connect.ts';

const DELIVERY_TIMEOUT_MS = 10_000;

/** Writes records as a stranger would, and ends. */
export async function writeRecords(
  brokers: readonly string[],
  records: readonly OutboundRecord[],
): Promise<void> {
  const producer = createProducer(connect(brokers), { deliveryTimeoutMs: DELIVERY_TIMEOUT_MS });
  await producer.start();
  try {
    await producer.sendAll(records);
  } finally {
    await producer.stop();
  }
}

export interface Reader {
  /** All that was read, oldest first in each partition. */
  readonly records: readonly OutboundRecord[];
  stop(): Promise<void>;
}

/** Reads topics from their beginning in a group of its own. */
export async function readRecords(brokers: readonly string[], topics: readonly string[]): Promise<Reader> {
  const records: OutboundRecord[] = [];
  const consumer = createConsumer(connect(brokers), {
    groupId: `fault-tests-${randomBytes(4).toString('hex')}`,
    topics: [...topics],
    assigned: () => ({
      offer({ topic, partition, key, value, headers }) {
        records.push({ topic, partition, key, value, headers });
        return true;
      },
      lost() {},
    }),
    onFatal(error) {
      throw error;
    },
  });
  await consumer.start();
  return { records, stop: () => consumer.stop() };
}
