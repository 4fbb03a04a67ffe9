import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { inTransaction, type PoolSql, type Sql } from './database.ts';

const MIGRATIONS_FOLDER = new URL('../migrations/', import.meta.url);
const FILE_NAME = /^(\d{4})_[a-z0-9_]+\.sql$/;
/** Any fixed number: the advisory lock that lets one migration run at a time. */
const MIGRATION_LOCK = 7_406_278_253;

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly text: string;
}

export interface MigrationReport {
  readonly applied: readonly string[];
  readonly present: readonly string[];
}

/** The migrations of a folder in order. @throws Error when a name is malformed or a number is missing or taken. */
export async function readMigrations(folder: URL = MIGRATIONS_FOLDER): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  return Promise.all(
    names.map(async (name, index) => {
      const match = FILE_NAME.exec(name);
      if (!match) throw new Error(`migration "${name}" is not named NNNN_name.sql`);
      const version = Number(match[1]);
      if (version !== index + 1) throw new Error(`migration "${name}" should have number ${index + 1}`);
      const text = await readFile(new URL(name, folder), 'utf8');
      return { version, name, text, checksum: createHash('sha256').update(text).digest('hex') };
    }),
  );
}

export interface MigrateOptions {
  /** Longest wait for one lock; others wait behind it as long. Below Postgres' `deadlock_timeout`: whoever it meets goes on. */
  readonly lockTimeoutMs?: number;
  readonly wait?: (ms: number) => Promise<unknown>;
}

/** Half of Postgres' own default for finding deadlocks. */
const LOCK_TIMEOUT_MS = 500;
const RETRY_MS = 1_000;
/** With the waits between them, two minutes of tables that are never free. */
const MAX_TRIES = 80;

/**
 * Applies what is missing, in order, each in a transaction of its own, so that no table is locked for the sake of another's
 * index; several callers wait for each other. One that meets services at work gives way, and tries again. Migrations
 * that a newer release applied are left alone.
 * @throws Error when a migration was changed after it had been applied, or its tables are never free.
 */
export async function migrate(
  sql: PoolSql,
  migrations?: readonly Migration[],
  options: MigrateOptions = {},
): Promise<MigrationReport> {
  const wanted = migrations ?? (await readMigrations());
  const known = await inTransaction(sql, readKnown);
  for (const { version, name, checksum } of wanted) {
    if ((known.get(version) ?? checksum) !== checksum)
      throw new Error(`migration ${name} was changed after it had been applied`);
  }
  const applied: string[] = [];
  const present: string[] = [];
  for (const migration of wanted) {
    const isNew = !known.has(migration.version) && (await applyWhenFree(sql, migration, options));
    (isNew ? applied : present).push(migration.name);
  }
  return { applied, present };
}

/** Whether it was missing. */
async function applyWhenFree(
  sql: PoolSql,
  migration: Migration,
  { lockTimeoutMs = LOCK_TIMEOUT_MS, wait = delay }: MigrateOptions,
): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      return await inTransaction(sql, (transaction) => applyOnce(transaction, migration, lockTimeoutMs));
    } catch (error) {
      if (!isInUse(error)) throw error;
      if (tries === MAX_TRIES)
        throw new Error(`migration ${migration.name} found its tables in use ${tries} times`, {
          cause: error,
        });
      await wait(RETRY_MS);
    }
  }
}

async function applyOnce(transaction: Sql, migration: Migration, lockTimeoutMs: number): Promise<boolean> {
  const known = await readKnown(transaction);
  if (known.has(migration.version)) return false;
  await transaction.unsafe(`set local statement_timeout = 0; set local lock_timeout = ${lockTimeoutMs}`);
  await transaction.unsafe(migration.text).simple();
  await transaction`
    insert into schema_migrations (version, name, checksum)
    values (${migration.version}, ${migration.name}, ${migration.checksum})`;
  return true;
}

/** Checksums by version. Whoever has read them migrates alone until his transaction ends. */
async function readKnown(transaction: Sql): Promise<Map<number, string>> {
  await transaction`set local statement_timeout = 0`;
  await transaction`select pg_advisory_xact_lock(${MIGRATION_LOCK}::bigint)`;
  await transaction`
    create table if not exists schema_migrations (
      version integer primary key,
      name text not null,
      checksum text not null,
      applied_at timestamptz not null default now()
    )`;
  const rows = await transaction<{ version: number; checksum: string }[]>`
    select version, checksum from schema_migrations`;
  return new Map(rows.map((row) => [row.version, row.checksum]));
}

/** `lock_not_available` and `deadlock_detected`. */
const isInUse = (error: unknown): boolean =>
  ['55P03', '40P01'].includes(String((error as { code?: unknown } | null)?.code ?? ''));
