import { databaseUrl } from '@posthorn/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  createTenant,
  type Database,
  openDatabase,
  type PoolSql,
  pollReplica,
  RATE_SLOT_MS,
  type RateReport,
  rateOfOthers,
  removeStaleRateCounts,
} from '../src/index.ts';

let database: Database;
let sql: PoolSql;
let tenantId: string;
let made = 0;

beforeAll(async () => {
  database = openDatabase({ url: await databaseUrl(), pool: 4, applicationName: 'test' });
  sql = database.sql;
});
afterAll(() => database.close());

beforeEach(async () => {
  made += 1;
  tenantId = `sender-${made}`;
  await createTenant(sql, { tenantId, name: '', lanes: [1] });
});

const poll = (replicaId: string, rates?: Partial<RateReport>) =>
  pollReplica(sql, { replicaId, applied: 0, rates: { slot: 0, rows: [], about: [], ...rates } });

/** What a replica reports now, the slot under way last. */
const report = (counts: readonly number[], minuteCounts: readonly number[] = [7]): Partial<RateReport> => ({
  slot: Math.floor(Date.now() / RATE_SLOT_MS),
  rows: [{ tenantId, counts, minuteCounts }],
  about: [tenantId],
});

describe('what a replica has admitted', () => {
  test('is read by the others, and not by itself', async () => {
    const said = report([3, 0, 4]);
    expect((await poll('a', said)).rates).toEqual([]);
    const heard = [{ tenantId, slot: said.slot, counts: [3, 0, 4] }];
    expect((await poll('b', { about: [tenantId, 'another'] })).rates).toEqual(heard);
    expect((await poll('b')).rates).toEqual([]);
    expect(await rateOfOthers(sql, tenantId, 'b')).toEqual({ lastSecond: 7, lastMinute: 7 });
    expect(await rateOfOthers(sql, tenantId, 'a')).toEqual({ lastSecond: 0, lastMinute: 0 });
  });

  test('counts once, however often it is said', async () => {
    await poll('a', report([5]));
    await poll('a', report([5, 1]));
    await Promise.all([poll('a', report([5, 2])), poll('b', report([9])), poll('c', report([1]))]);
    const heard = (await poll('d', { about: [tenantId] })).rates;
    expect(heard.map(({ counts }) => counts.join()).sort()).toEqual(['1', '5,2', '9']);
    expect((await rateOfOthers(sql, tenantId, 'c')).lastSecond).toBe(16);
  });

  test('is past after its time: a second, a minute, and then the row is gone', async () => {
    const minute = Array.from({ length: 12 }, () => 1);
    await poll('a', report([...Array.from({ length: 100 }, () => 1), 50], minute));
    expect(await rateOfOthers(sql, tenantId, 'b')).toEqual({ lastSecond: 149, lastMinute: 12 });
    await sql`
      update rate_counts set slot = slot - 2000, reported_at = now() - interval '20 seconds'
      where tenant_id = ${tenantId}`;
    expect(await rateOfOthers(sql, tenantId, 'b')).toEqual({ lastSecond: 0, lastMinute: 8 });
    expect((await poll('b', { about: [tenantId] })).rates).toEqual([]);
    expect(await removeStaleRateCounts(sql)).toBe(0);
    await sql`update rate_counts set reported_at = now() - interval '6 minutes' where tenant_id = ${tenantId}`;
    expect(await removeStaleRateCounts(sql)).toBe(1);
  });
});

describe('the answer of the statement', () => {
  test('has Postgres’ clock and the number of other live replicas', async () => {
    const before = Date.now();
    await Promise.all([poll('x'), poll('y')]);
    const { nowMs, others } = await poll('x');
    expect(nowMs).toBeGreaterThan(before - 1_000);
    expect(nowMs).toBeLessThan(Date.now() + 1_000);
    expect(others).toBeGreaterThanOrEqual(1);
  });
});
