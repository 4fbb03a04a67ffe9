import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { grantServiceRights, migrate, openDatabase } from '@posthorn/db';
import postgres from 'postgres';

const MIGRATIONS = join(import.meta.dirname, '..', '..', 'packages', 'db', 'migrations');
/** What the roles of services may do is part of the template as well. */
const RIGHTS = ['service-rights.ts', 'grant-rights.ts'].map((name) => join(MIGRATIONS, '..', 'src', name));
/** Any number that nothing else locks: only one run makes the template. */
const LOCK = 7_404_679;

/** Makes the database that tests clone, once for every state of the migrations, and answers its name. */
export async function ensureTemplate(databaseUrl: string): Promise<string> {
  const name = `posthorn_template_${await fingerprint()}`;
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    await sql`select pg_advisory_lock(${LOCK})`;
    const found = await sql`select 1 from pg_database where datname = ${name}`;
    if (found.length > 0) return name;
    const draft = `${name}_draft`;
    await sql.unsafe(`drop database if exists ${draft} with (force)`);
    await sql.unsafe(`create database ${draft}`);
    const url = new URL(databaseUrl);
    url.pathname = `/${draft}`;
    await applyMigrations(url.href);
    await sql.unsafe(`alter database ${draft} rename to ${name}`);
    return name;
  } finally {
    await sql.end();
  }
}

async function applyMigrations(url: string): Promise<void> {
  const database = openDatabase({ url, pool: 1, applicationName: 'posthorn-tests' });
  try {
    await migrate(database.sql);
    await grantServiceRights(database.sql, 'posthorn_');
  } finally {
    await database.close();
  }
}

async function fingerprint(): Promise<string> {
  const names = (await readdir(MIGRATIONS).catch(() => [])).sort();
  const hash = createHash('sha256');
  for (const name of names) hash.update(`${name}\0`).update(await readFile(join(MIGRATIONS, name)));
  for (const file of RIGHTS) hash.update(await readFile(file));
  return hash.digest('hex').slice(0, 12);
}

/** Drops what this run's test files cloned. */
export async function dropTestDatabases(databaseUrl: string, run: string): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const names = await sql<{ datname: string }[]>`
      select datname from pg_database where starts_with(datname, ${`test_${run}_`})`;
    for (const { datname } of names) await sql.unsafe(`drop database if exists ${datname} with (force)`);
  } finally {
    await sql.end();
  }
}
