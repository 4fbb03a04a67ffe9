import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  chooseTier,
  encodeDelivery,
  encodeEvent,
  encodeWait,
  jitter,
  mintEndpointId,
  mintEventId,
  tierPartitions,
  topicSpecs,
} from '@posthorn/contracts';
import { migrate, openDatabase } from '@posthorn/db';
import {
  connectKafka,
  createAdmin,
  createConsumer,
  createProducer,
  type KafkaClient,
  type TrackedRecord,
} from '@posthorn/kafka';
import { createLogger } from '@posthorn/runtime';
import { type DispatcherConfig, readServiceConfig } from '../src/config.ts';
import { namesOf } from '../src/phases.ts';

/**
 * How late a dispatcher releases what is due: from due (append time on the tier + delay) to the append in `deliveries`,
 * both by the broker's clock. A process of its own, on topics and a database of its own, of the Kafka and Postgres that
 * KAFKA_BROKERS and DATABASE_URL name.
 *
 *   node services/dispatcher/bench/release-accuracy.ts [records] [seconds]
 */
const [records = 20_000, seconds = 60] = process.argv.slice(2).map(Number);
const TENANTS = 100;
/** Waits of the default schedule with its jitter, and two that hop. */
const WAITS_MS = [1_000, 1_000, 4_000, 4_000, 16_000, 7_000, 30_000];
const JITTER_PERCENT = 10;
const BURST_MS = 50;
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const log = createLogger('bench', 'silent');

async function main(): Promise<void> {
  const { KAFKA_BROKERS, DATABASE_URL } = process.env;
  if (!KAFKA_BROKERS || !DATABASE_URL) throw new Error('KAFKA_BROKERS and DATABASE_URL are not set');
  const database = await createDatabase(DATABASE_URL);
  const environment = {
    KAFKA_BROKERS,
    DATABASE_URL: database.url,
    KAFKA_TOPIC_PREFIX: `bench-${randomBytes(3).toString('hex')}.`,
    SECRETS_KEY: randomBytes(32).toString('base64'),
    ADMIN_PORT: '0',
    LOG_LEVEL: 'info',
  };
  const config = readServiceConfig(environment);
  const kafka = connectKafka({ brokers: [...config.kafkaBrokers], clientId: 'release-bench' }, log);
  const admin = createAdmin(kafka);
  await admin.ensureTopics(topicSpecs(config));
  const dispatcher = await startDispatcher(environment);
  try {
    say(await measure(kafka, config));
  } finally {
    dispatcher.kill('SIGTERM');
    await once(dispatcher, 'exit');
    await admin.deleteTopicsWithPrefix(config.topicPrefix);
    await admin.close();
    await database.drop();
  }
}

async function measure(kafka: KafkaClient, config: DispatcherConfig): Promise<number[]> {
  const dueMs = new Map<string, number>();
  const releasedMs = new Map<string, number>();
  const consumer = createConsumer(kafka, {
    groupId: `${config.topicPrefix}bench`,
    topics: [namesOf(config).deliveries],
    assigned: () => ({ offer: (record) => note(record, releasedMs), lost: () => undefined }),
    onFatal: (error) => {
      throw error;
    },
  });
  const producer = createProducer(kafka, { deliveryTimeoutMs: 10_000 });
  await Promise.all([consumer.start(), producer.start()]);
  const sent: Promise<void>[] = [];
  const perBurst = (records * BURST_MS) / (seconds * 1_000);
  const startMs = performance.now();
  for (let burst = 1; sent.length < records; burst++) {
    for (; sent.length < Math.min(burst * perBurst, records); ) sent.push(send(sent.length));
    await delay(Math.max(0, startMs + burst * BURST_MS - performance.now()));
  }
  async function send(n: number): Promise<void> {
    const { eventId, delayMs, record } = waitingRecord(config, n);
    const { appendTimeMs } = await producer.send(record);
    dueMs.set(eventId, appendTimeMs! + delayMs);
  }
  await Promise.all(sent);
  while (releasedMs.size < records) await delay(100);
  await Promise.all([consumer.stop(), producer.stop()]);
  return [...dueMs].map(([eventId, due]) => releasedMs.get(eventId)! - due).sort((a, b) => a - b);
}

function note(record: TrackedRecord, releasedMs: Map<string, number>): boolean {
  releasedMs.set(record.headers.ce_id!, record.timestampMs);
  record.complete();
  return true;
}

function waitingRecord(config: DispatcherConfig, n: number) {
  const eventId = mintEventId(Date.now());
  const tenantId = `t-${n % TENANTS}`;
  const lane = n % config.lanes;
  const delayMs = jitter(WAITS_MS[n % WAITS_MS.length]!, JITTER_PERCENT, eventId);
  const event = encodeEvent({
    eventId,
    tenantId,
    type: 'bench.released',
    labels: {},
    occurredAt: new Date().toISOString(),
    contentType: 'application/json',
    revision: 1,
    retentionDays: 30,
    traceparent: '',
  });
  const slots = [mintEndpointId(n)];
  const headers = {
    ...event,
    ...encodeDelivery({ slots, run: 0, round: 0, attempt: 2, lane }),
    ...encodeWait({ delayMs, returnTo: 'deliveries', bounces: 0 }),
  };
  const topic = namesOf(config).tier(chooseTier(config.tiers, delayMs));
  const partition = lane % tierPartitions(config.lanes);
  return {
    eventId,
    delayMs,
    record: { topic, partition, key: tenantId, value: Buffer.alloc(1_024), headers },
  };
}

async function startDispatcher(environment: Record<string, string>) {
  const child = spawn(process.execPath, ['services/dispatcher/src/main.ts'], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.setEncoding('utf8');
  for await (const text of child.stdout.iterator({ destroyOnReturn: false })) {
    if (String(text).includes('service started')) break;
  }
  child.stdout.resume();
  return child;
}

async function createDatabase(adminUrl: string): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `bench_${randomBytes(4).toString('hex')}`;
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  const admin = openDatabase({ url: adminUrl, pool: 1, applicationName: 'release-bench' });
  await admin.sql.unsafe(`create database ${name}`);
  const database = openDatabase({ url: url.href, pool: 1, applicationName: 'release-bench' });
  await migrate(database.sql);
  await database.close();
  return {
    url: url.href,
    async drop() {
      await admin.sql.unsafe(`drop database ${name} with (force)`);
      await admin.close();
    },
  };
}

function say(latenessMs: readonly number[]): void {
  const at = (share: number) =>
    latenessMs[Math.min(latenessMs.length - 1, Math.floor(latenessMs.length * share))]!;
  console.log(`${latenessMs.length} records due over ${seconds} s, milliseconds from due to append:`);
  console.log(
    `min ${at(0)}, p50 ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, p99.9 ${at(0.999)}, max ${at(1)}`,
  );
}

await main();
