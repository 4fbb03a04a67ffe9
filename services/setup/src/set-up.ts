import { topicSpecs } from '@posthorn/contracts';
import { DatabaseRefusedError, openDatabase } from '@posthorn/db';
import { connectKafka, createAdmin, KafkaRefusedError } from '@posthorn/kafka';
import { type Clock, databaseOptions, kafkaConnection } from '@posthorn/runtime';
import { applyMigrations } from './apply-migrations.ts';
import { applyRights } from './apply-rights.ts';
import { applyTopics } from './apply-topics.ts';
import type { SetupConfig } from './config.ts';
import { waitFor } from './wait-for.ts';

const MIGRATION_SILENCE_MS = 3_600_000;

export const STEPS = ['all', 'migrate', 'topics'] as const;
export type Step = (typeof STEPS)[number];

/** Safe to run again, and by several at once. @throws Error whose message is one clear line per fault. */
export async function setUp(
  step: Step,
  config: SetupConfig,
  clock: Clock,
  say: (line: string) => void,
): Promise<void> {
  if (step !== 'topics') await setUpPostgres(config, clock, say);
  if (step !== 'migrate') await setUpKafka(config, clock, say);
}

async function setUpPostgres(config: SetupConfig, clock: Clock, say: (line: string) => void): Promise<void> {
  const database = openDatabase({
    ...databaseOptions(config, 'posthorn-setup'),
    // Migrations are the owner's to make, whatever role the services are told to take on.
    role: undefined,
    // A migration may take its time.
    silenceTimeoutMs: MIGRATION_SILENCE_MS,
  });
  try {
    await waitFor('Postgres', () => database.sql`select 1`, {
      timeoutMs: config.waitTimeoutMs,
      clock,
      waiting: say,
      isFinal: isRefusal,
    });
    await applyMigrations(database, clock.nowMs(), say);
    await applyRights(database, config.databaseRolePrefix, say);
  } finally {
    await database.close();
  }
}

async function setUpKafka(config: SetupConfig, clock: Clock, say: (line: string) => void): Promise<void> {
  const client = connectKafka(kafkaConnection(config, 'posthorn-setup'), quiet);
  const admin = createAdmin(client);
  const specs = topicSpecs(config);
  try {
    await waitFor(`Kafka at ${config.kafkaBrokers.join(', ')}`, () => admin.ensureTopics([]), {
      timeoutMs: config.waitTimeoutMs,
      clock,
      waiting: say,
      isFinal: (error) => error instanceof KafkaRefusedError,
    });
    await applyTopics(admin, specs, say);
  } finally {
    await admin.close();
  }
}

/** What the client retries is told by `waitFor`. */
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** SQLSTATE 28 and 3D: wrong user or password, no such database. (A server that starts or stops says 57P.) */
const isRefusal = (error: unknown): boolean =>
  error instanceof DatabaseRefusedError ||
  /^(28|3D)/.test(String((error as { code?: unknown } | null)?.code ?? ''));
