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
  expect([...first.applied, ...second.applied].sort()).toEqual(names);
  expect(await migrate(database.sql)).toEqual({ applied: [], present: names });
});

test('a failing migration leaves nothing of itself behind, and those before it stand', async () => {
  const known = await readMigrations();
  const next = known.length + 1;
  const run = [
    ...known,
    migration(next, 'create table done ()'),
    migration(next + 1, 'create table half_done (); select nonsense'),
  ];
  await expect(migrate(database.sql, run)).rejects.toThrow('nonsense');
  const [table] = await database.sql`
    select to_regclass('done')::text as done, to_regclass('half_done')::text as half_done`;
  expect(table).toEqual({ done: 'done', halfDone: null });
  await database.sql`delete from schema_migrations where version = ${next}`;
});

test('a migration gives way to whoever holds its table, and is applied when that is free', async () => {
  const known = await readMigrations();
  const run = [...known, migration(known.length + 1, 'alter table plans add column extra text')];
  const holder = await database.sql.reserve();
  await holder`begin`;
  await holder`lock table plans in access share mode`;
  let waits = 0;
  const wait = async () => {
    waits += 1;
    // Nobody queues behind a migration that waits.
    expect(await database.sql`select 1 from plans`).toHaveLength(1);
    if (waits === 2) await holder`commit`;
  };
  const report = await migrate(database.sql, run, { lockTimeoutMs: 10, wait });
  holder.release();
  expect(report.applied).toEqual([run.at(-1)!.name]);
  expect(waits).toBe(2);
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
