import { mintEventId } from '@posthorn/contracts';
import { databaseUrl } from '@posthorn/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  countUnpartitionedRows,
  type Database,
  dropExpiredPartitions,
  ensurePartitions,
  findEvent,
  openDatabase,
  type PoolSql,
  recordEvents,
} from '../src/index.ts';

let database: Database;
let sql: PoolSql;
beforeAll(async () => {
  database = openDatabase({ url: await databaseUrl(), pool: 4, applicationName: 'test' });
  sql = database.sql;
});
afterAll(() => database.close());

async function record(atMs: number, retentionDays: number): Promise<string> {
  const eventId = mintEventId(atMs);
  await recordEvents(sql, {
    tenantId: ['t'],
    eventId: [eventId],
    type: ['order.created'],
    labels: ['{}'],
    contentType: ['application/json'],
    payload: [Buffer.from('{}')],
    occurredAtMs: [atMs],
    acceptedAtMs: [atMs],
    revision: [1],
    retentionDays: [retentionDays],
    clientEventId: [null],
    day: [Math.floor(atMs / 86_400_000)],
  });
  return eventId;
}

const TABLES_AND_CLASSES = 12;
const noon = (day: string) => Date.parse(`${day}T12:00:00Z`);

test('partitions are made once, also by two at a time, and take in rows that came before them', async () => {
  const eventId = await record(noon('2026-03-02'), 7);
  expect(await countUnpartitionedRows(sql)).toBe(1);
  await Promise.all([
    ensurePartitions(sql, '2026-03-01', '2026-03-02'),
    ensurePartitions(sql, '2026-03-01', '2026-03-02'),
  ]);
  expect(await countUnpartitionedRows(sql)).toBe(0);
  expect(await findEvent(sql, 't', eventId)).toMatchObject({ eventId });
  expect(await ensurePartitions(sql, '2026-03-01', '2026-03-02')).toEqual([]);
  expect(await ensurePartitions(sql, '2026-03-01', '2026-03-03')).toHaveLength(TABLES_AND_CLASSES);
});

test('a partition is dropped when its class and the longest schedule are over, not before', async () => {
  await ensurePartitions(sql, '2026-02-01', '2026-02-01');
  const short = await record(noon('2026-02-01'), 7);
  const long = await record(noon('2026-02-01'), 30);
  expect(await dropExpiredPartitions(sql, '2026-02-16')).toEqual([]);
  expect(await findEvent(sql, 't', short)).not.toBeNull();
  expect(await dropExpiredPartitions(sql, '2026-02-17')).toHaveLength(4);
  expect(await findEvent(sql, 't', short)).toBeNull();
  expect(await findEvent(sql, 't', long)).not.toBeNull();
});
