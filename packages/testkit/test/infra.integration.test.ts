import postgres from 'postgres';
import { expect, it } from 'vitest';
import { databaseUrl, emptyDatabaseUrl, topicPrefix, waitUntil } from '../src/index.ts';

it('gives a test file one database, and an empty one at every call', async () => {
  expect(await databaseUrl()).toBe(await databaseUrl());
  expect(await emptyDatabaseUrl()).not.toBe(await emptyDatabaseUrl());
});

it('gives a database that is its own to write in', async () => {
  const sql = postgres(await databaseUrl(), { max: 1 });
  await sql`create table mine (id int)`;
  await sql.end();
});

it('gives topics a name of their own', () => {
  expect(topicPrefix()).toMatch(/^test-[0-9a-f]{8}\.$/);
});

it('waits until an outside condition holds, and says which one did not', async () => {
  let asked = 0;
  expect(await waitUntil(() => ++asked > 2 && asked, { what: 'three questions', everyMs: 1 })).toBe(3);
  await expect(waitUntil(() => false, { what: 'the impossible', timeoutMs: 5, everyMs: 1 })).rejects.toThrow(
    'the impossible',
  );
});
