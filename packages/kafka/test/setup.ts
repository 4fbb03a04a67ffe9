import { connect } from 'node:net';
import {
  createSignalledList,
  kafkaBrokers,
  type SignalledList,
  topicPrefix,
  waitUntil,
} from '@posthorn/testkit';
import { onTestFinished } from 'vitest';
import {
  type Admin,
  type Consumer,
  type ConsumerOptions,
  connectKafka,
  createAdmin,
  createConsumer,
  createProducer,
  type KafkaClient,
  type KafkaConnection,
  type KafkaLog,
  type OutboundRecord,
  type PartitionHandler,
  type Producer,
  type ProducerOptions,
  type SlotUnderWay,
  type TopicSpec,
  type TrackedRecord,
} from '../src/index.ts';

export interface LogLine {
  level: 'debug' | 'info' | 'warn' | 'error';
  fields: Record<string, unknown>;
  message: string;
}

export function recordingLog(): KafkaLog & { lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: LogLine['level']) => (fields: object, message: string) => {
    lines.push({ level, fields: fields as Record<string, unknown>, message });
  };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

export interface Bundle {
  log: ReturnType<typeof recordingLog>;
  client: KafkaClient;
  admin: Admin;
  topic: string;
  groupId: string;
  producer(options?: Partial<ProducerOptions>, client?: KafkaClient): Promise<Producer>;
  /** Started, and stopped at the end of the test. */
  member(options?: MemberOptions, client?: KafkaClient): Promise<Member>;
}

export interface MemberOptions extends Partial<ConsumerOptions> {
  /** What of a partition is under way when it may move. */
  underWay?(partition: number): SlotUnderWay[];
}

let made = 0;

export async function setup(
  topicOptions: { partitions?: number; config?: Record<string, string> } = {},
): Promise<Bundle> {
  const name = `${topicPrefix()}${++made}`;
  const topic = `${name}.records`;
  await makeTopic({
    name: topic,
    partitions: topicOptions.partitions ?? 1,
    replicationFactor: 1,
    config: topicOptions.config ?? {},
  });
  const log = recordingLog();
  const client = connectKafka({ brokers: [...kafkaBrokers()], clientId: 'kafka-test' }, log);
  const admin = createAdmin(client);
  onTestFinished(() => admin.close());
  const groupId = `${name}.group`;
  return {
    log,
    client,
    admin,
    topic,
    groupId,
    async producer(options = {}, through = client) {
      const producer = createProducer(through, { deliveryTimeoutMs: 5_000, ...options });
      onTestFinished(() => producer.stop());
      await producer.start();
      return producer;
    },
    async member(options = {}, through = client) {
      const member = createMember(through, {
        groupId,
        topics: [topic],
        heartbeatIntervalMs: 100,
        fetch: { idleWaitMs: 50 },
        ...options,
      });
      onTestFinished(() => member.consumer.stop());
      await member.consumer.start();
      return member;
    },
  };
}

/**
 * A broker may refuse a new topic for a moment, also after its metadata names the leaders: by an admin with a log of
 * its own, until they answer, so that no client of the test has to say so.
 */
async function makeTopic(spec: TopicSpec): Promise<void> {
  const maker = createAdmin(
    connectKafka({ brokers: [...kafkaBrokers()], clientId: 'kafka-test' }, recordingLog()),
  );
  try {
    await maker.ensureTopics([spec]);
    await waitUntil(() => maker.endOffsets(spec.name), { what: `the leaders of ${spec.name} answer` });
  } finally {
    await maker.close();
  }
}

export interface Member {
  consumer: Consumer;
  /** In the order in which they were accepted. */
  records: SignalledList<TrackedRecord>;
  /** 'assigned 0', 'lost 0'. */
  events: SignalledList<string>;
  fatal: Error[];
  /** When set, decides whether a record is taken. */
  accepts: (record: TrackedRecord) => boolean;
  /** When true, records are completed as they come. */
  completes: boolean;
  /** Offsets of a partition that were accepted, in order. */
  offsets(partition?: number): number[];
  owns(partitions: number[]): Promise<void>;
  takes(count: number): Promise<void>;
}

function createMember(
  client: KafkaClient,
  { underWay, ...options }: MemberOptions & { groupId: string; topics: string[] },
): Member {
  const records = createSignalledList<TrackedRecord>();
  const events = createSignalledList<string>();
  const fatal: Error[] = [];
  const assigned = (_topic: string, partition: number): PartitionHandler => {
    events.push(`assigned ${partition}`);
    return {
      offer(record) {
        if (!member.accepts(record)) return false;
        if (member.completes) record.complete();
        records.push(record);
        return true;
      },
      lost: () => events.push(`lost ${partition}`),
      ...(underWay === undefined ? {} : { underWay: () => underWay(partition) }),
    };
  };
  const consumer = createConsumer(client, { assigned, onFatal: (error) => fatal.push(error), ...options });
  const member: Member = {
    consumer,
    records,
    events,
    fatal,
    accepts: () => true,
    completes: false,
    offsets: (partition = 0) =>
      records.items.filter((record) => record.partition === partition).map((record) => record.offset),
    owns: (partitions) =>
      events.waitFor(() => sameNumbers(consumer.assignment, partitions), {
        what: () => `owns ${partitions}, has ${consumer.assignment.map(({ partition }) => partition)}`,
      }),
    takes: (count) =>
      records.waitFor(() => records.items.length >= count, {
        what: () => `takes ${count} records, took ${records.items.length}`,
      }),
  };
  return member;
}

function sameNumbers(assignment: ReadonlyArray<{ partition: number }>, expected: number[]): boolean {
  const owned = assignment.map(({ partition }) => partition).sort((a, b) => a - b);
  return owned.join() === [...expected].sort((a, b) => a - b).join();
}

export function record(topic: string, partition: number, text: string): OutboundRecord {
  return { topic, partition, key: 'key', value: Buffer.from(text), headers: { name: text } };
}

export function numbered(topic: string, count: number, partition = 0): OutboundRecord[] {
  return Array.from({ length: count }, (_, i) => record(topic, partition, `record ${i}`));
}

/** A client all of whose connections go through that port. */
export function clientThrough(
  port: number,
  log: KafkaLog,
  change: Partial<KafkaConnection> = {},
): KafkaClient {
  const openSocket: KafkaConnection['openSocket'] = ({ onConnect }) =>
    connect({ host: '127.0.0.1', port }, onConnect);
  return connectKafka({ brokers: [...kafkaBrokers()], clientId: 'kafka-test', openSocket, ...change }, log);
}

export function brokerPort(): number {
  return Number(kafkaBrokers()[0]!.split(':')[1]);
}
