import { connectKafka, createAdmin } from '@posthorn/kafka';
import { createLogger, systemClock } from '@posthorn/runtime';
import { emptyDatabaseUrl, kafkaBrokers, topicPrefix } from '@posthorn/testkit';
import { afterAll, expect, test } from 'vitest';
import { runSetUp } from '../src/run-set-up.ts';

const TOPICS = 8;

const client = connectKafka(
  { brokers: [...kafkaBrokers()], clientId: 'test' },
  createLogger('test', 'silent'),
);
const admin = createAdmin(client);
afterAll(async () => {
  await admin.deleteTopicsWithPrefix(topicPrefix());
  await admin.close();
});

interface Ended {
  readonly code: number;
  readonly out: string[];
  readonly err: string;
}

async function run(args: string[], environment: Record<string, string>): Promise<Ended> {
  const out: string[] = [];
  const err: string[] = [];
  const full = {
    KAFKA_BROKERS: kafkaBrokers().join(','),
    KAFKA_TOPIC_PREFIX: topicPrefix(),
    LANES: '2',
    EVENT_PARTITIONS: '2',
    JOURNAL_PARTITIONS: '1',
    RETRY_TIERS: '1s,4s',
    SETUP_WAIT_TIMEOUT_MS: '5000',
    ...environment,
  };
  const code = await runSetUp(args, full, systemClock, {
    say: (line) => out.push(line),
    complain: (line) => err.push(line),
  });
  return { code, out, err: err.join('\n') };
}

test('brings an empty Postgres and Kafka to what the release needs, and changes nothing the second time', async () => {
  const environment = { DATABASE_URL: await emptyDatabaseUrl() };
  const first = await run([], environment);
  expect(first).toMatchObject({ code: 0, err: '' });
  expect(first.out).toContain('migration 0001_core.sql applied');
  expect(first.out.filter((line) => /^topic \S+ created$/.test(line))).toHaveLength(TOPICS);
  const second = await run(['all'], environment);
  expect(second).toMatchObject({ code: 0, err: '' });
  expect(second.out).toEqual([
    expect.stringMatching(/^migrations are up to date/),
    'record partitions are there',
    'rights of database roles are set',
    `topics there before: ${TOPICS}`,
    `topics checked (${TOPICS})`,
  ]);
});

test('a topic that breaks a promise fails the step and is named', async () => {
  await run(['topics'], {});
  const { code, err } = await run(['topics'], { LANES: '3' });
  expect(code).toBe(1);
  expect(err).toContain('set-up failed: topics break a promise:');
  expect(err).toContain(`${topicPrefix()}deliveries has 2 partitions`);
});

test('--help says how it is used', async () => {
  const { code, out } = await run(['--help'], {});
  expect(code).toBe(0);
  expect(out.join('\n')).toContain('[all|migrate|topics]');
});

test.each([
  [
    ['migrate'],
    { DATABASE_URL: 'postgres://a:b@127.0.0.1:1/x', SETUP_WAIT_TIMEOUT_MS: '0' },
    'Postgres did not answer',
  ],
  [
    ['topics'],
    { KAFKA_BROKERS: '127.0.0.1:1', SETUP_WAIT_TIMEOUT_MS: '0' },
    'Kafka at 127.0.0.1:1 did not answer',
  ],
  [['nonsense'], {}, '"nonsense" is not one of all, migrate, topics'],
  [['migrate'], { LANES: 'many' }, 'LANES="many": expected an integer'],
])('%j with %j ends non-zero with one clear line', async (args, environment, line) => {
  const { code, err } = await run(args, environment);
  expect(code).toBe(1);
  expect(err).toContain('set-up failed: ');
  expect(err).toContain(line);
});
