import { randomBytes } from 'node:crypto';
import postgres from 'postgres';

/**
 * The Kafka and Postgres of the test run. Vitest's global set-up puts their addresses into the environment, and with
 * them the name of a database that has all migrations applied. A test file gets a clone of it, and topic names that
 * nobody else has.
 */
const RUN = process.env.POSTHORN_TEST_RUN ?? 'alone';

export function kafkaBrokers(): readonly string[] {
  return required('KAFKA_BROKERS').split(',');
}

let unique = randomBytes(4).toString('hex');

/** Put before every topic and group name; another one in every test file. */
export function topicPrefix(): string {
  return `test-${unique}.`;
}

let cloned: Promise<string> | undefined;

/** A database of this test file alone, with all migrations applied; made at the first call. */
export function databaseUrl(): Promise<string> {
  cloned ??= createDatabase(required('POSTHORN_TEST_TEMPLATE'));
  return cloned;
}

/** What is asked for next is another test file's: of files that share their modules. */
export function forgetTestFile(): void {
  unique = randomBytes(4).toString('hex');
  cloned = undefined;
}

/** A database with nothing in it; another one at every call. */
export function emptyDatabaseUrl(): Promise<string> {
  return createDatabase('template0');
}

async function createDatabase(template: string): Promise<string> {
  const url = new URL(required('DATABASE_URL'));
  const name = `test_${RUN}_${randomBytes(4).toString('hex')}`;
  const sql = postgres(url.href, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(`create database ${name} template ${template}`);
  } finally {
    await sql.end();
  }
  url.pathname = `/${name}`;
  return url.href;
}

function required(name: string): string {
  const value = process.env[name];
  if (!value)
    throw new Error(`${name} is not set: run the tests with \`npm test\` or \`npx vitest\` in the root`);
  return value;
}
