import { emptyDatabaseUrl, startFaultProxy } from '@posthorn/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type Database,
  DatabaseTimeoutError,
  type Migration,
  migrate,
  openDatabase,
  readMigrations,
  within,
} from '../src/index.ts';

let database: Database;
beforeAll(async () => {
  database = openDatabase({ url: await emptyDatabaseUrl(), pool: 4, applicationName: 'test' });
});
afterAll(() => database.close());

const migration = (version: number, text: string): Migration => ({
  version,
  name: `${String(version).padStart(4, '0')}_test.sql`,
  checksum: text,
  text,
});

test('every migration of this release applies to an empty database, once', async () => {
  const names = (await readMigrations()).map(({ name }) => name);
  const [first, second] = await Promise.all([migrate(database.sql), migrate(database.sql)]);
  expect([...first.applied, ...second.applied]).toEqual(names);
  expect(await migrate(database.sql)).toEqual({ applied: [], present: names });
});

test('a failing migration leaves nothing of the run behind', async () => {
  const known = await readMigrations();
  const next = known.length + 1;
  const run = [
    ...known,
    migration(next, 'create table half_done ()'),
    migration(next + 1, 'select nonsense'),
  ];
  await expect(migrate(database.sql, run)).rejects.toThrow('nonsense');
  const [table] = await database.sql`select to_regclass('half_done') as there`;
  expect(table!.there).toBeNull();
});

test('a migration that was changed after it had been applied is refused', async () => {
  const [first, ...rest] = await readMigrations();
  await expect(migrate(database.sql, [{ ...first!, checksum: 'other' }, ...rest])).rejects.toThrow(
    'was changed after it had been applied',
  );
});

test('a database answers a ping until it is closed', async () => {
  const other = openDatabase({ url: await emptyDatabaseUrl(), pool: 1, applicationName: 'test' });
  expect(await other.ping()).toBe(true);
  await other.close();
  expect(await other.ping()).toBe(false);
});

test('waiting for a server that hangs has an end', async () => {
  const url = new URL(await emptyDatabaseUrl());
  const proxy = await startFaultProxy({ targetPort: Number(url.port) });
  url.port = String(proxy.port);
  const other = openDatabase({ url: url.href, pool: 1, applicationName: 'test' });
  expect(await other.ping()).toBe(true);
  proxy.silence();
  expect(await other.ping(20)).toBe(false);
  await expect(within(20, other.sql`select 1`)).rejects.toBeInstanceOf(DatabaseTimeoutError);
  await other.close(0);
  await proxy.close();
});
