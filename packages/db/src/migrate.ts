import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
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

/**
 * Applies what is missing, in order, all in one transaction; several callers wait for each other. Migrations that a
 * newer release applied are left alone.
 * @throws Error when a migration was changed after it had been applied.
 */
export async function migrate(sql: PoolSql, migrations?: readonly Migration[]): Promise<MigrationReport> {
  const wanted = migrations ?? (await readMigrations());
  return inTransaction(sql, async (transaction) => {
    await transaction`select pg_advisory_xact_lock(${MIGRATION_LOCK}::bigint)`;
    await transaction`set local statement_timeout = 0`;
    const known = await knownChecksums(transaction);
    const applied: string[] = [];
    const present: string[] = [];
    for (const migration of wanted) {
      const checksum = known.get(migration.version);
      if (checksum === undefined) {
        await apply(transaction, migration);
        applied.push(migration.name);
      } else if (checksum === migration.checksum) {
        present.push(migration.name);
      } else {
        throw new Error(`migration ${migration.name} was changed after it had been applied`);
      }
    }
    return { applied, present };
  });
}

async function knownChecksums(sql: Sql): Promise<Map<number, string>> {
  await sql`
    create table if not exists schema_migrations (
      version integer primary key,
      name text not null,
      checksum text not null,
      applied_at timestamptz not null default now()
    )`;
  const rows = await sql<{ version: number; checksum: string }[]>`
    select version, checksum from schema_migrations`;
  return new Map(rows.map((row) => [row.version, row.checksum]));
}

async function apply(sql: Sql, migration: Migration): Promise<void> {
  await sql.unsafe(migration.text).simple();
  await sql`
    insert into schema_migrations (version, name, checksum)
    values (${migration.version}, ${migration.name}, ${migration.checksum})`;
}
