import {
  foldCounts,
  GRAIN_MS,
  GRAINS,
  type Grain,
  type PoolSql,
  queryRollups,
  type RollupQuery,
  removeOldRollups,
  rollupStats,
} from '@posthorn/db';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Item } from '../src/consume/read-record.ts';
import { gatherRows, recordBatch } from '../src/record-batch.ts';
import { emptyHealth } from '../src/watch-health.ts';
import { attempted, deadLetter, dispatched, NOW_MS, newSubject, replayed, TENANT } from './entries.ts';
import { type Databases, openDatabases } from './open-databases.ts';

let databases: Databases;
let sql: PoolSql;
beforeAll(async () => {
  databases = await openDatabases();
  sql = databases.database.sql;
});
afterAll(() => databases.close());
beforeEach(async () => {
  await sql`delete from rollups`;
});

const write = (...items: Item[]) =>
  recordBatch(sql, gatherRows(items), { nowMs: NOW_MS, health: emptyHealth(), failingForMs: 0 });

const event = (subject: { eventId: string; endpointId: string }): Item => ({
  kind: 'event',
  event: deadLetter(subject).event,
  labels: '{}',
  payload: Buffer.from('{}'),
  topic: 'events',
  partition: 0,
  offset: 0,
});

const all: RollupQuery = {
  grain: 'minute',
  tenantId: TENANT,
  endpointIds: null,
  fromMs: NOW_MS - GRAIN_MS.day,
  toMs: NOW_MS + GRAIN_MS.day,
  byTime: false,
  by: [],
  limit: 100,
};

async function totals(over: Partial<RollupQuery> = {}) {
  const [group] = await queryRollups(sql, { ...all, ...over });
  const { bucket: _bucket, latency, ...counts } = group!;
  return { ...counts, timed: latency.reduce((sum, count) => sum + count, 0) };
}

describe('the counts', () => {
  test('are of what the record has, however often and in what pieces it was read', async () => {
    const subjects = [newSubject(), newSubject(), newSubject()];
    const items = subjects.flatMap((subject, i): Item[] => [
      event(subject),
      dispatched(subject),
      attempted(subject, 'processing', { attempt: 1 }),
      i === 0 ? attempted(subject, 'failed', { attempt: 2 }) : attempted(subject, 'success', { attempt: 2 }),
      ...(i === 0 ? [deadLetter(subject, { attempt: 2 }), replayed(subject)] : []),
    ]);
    await write(...items, ...items);
    await write(...items.toReversed());
    for (const item of items) await write(item);
    await foldCounts(sql);
    const expected = { events: 3, deliveries: 3, attempts: 6, succeeded: 2, deadLetters: 0, timed: 6 };
    // Its dead letter was replayed in the same batch: it never stood in the index.
    expect(await totals()).toEqual(expected);
  });

  test('are those of an endpoint, a tenant and all, by every grain', async () => {
    const [first, second] = [newSubject(), newSubject()];
    await write(event(first), dispatched(first), attempted(first, 'success'), attempted(second, 'failed'));
    await write(deadLetter(second, { attempt: 1 }));
    await foldCounts(sql);
    const both = { events: 1, deliveries: 2, attempts: 2, succeeded: 1, deadLetters: 1, timed: 2 };
    for (const grain of GRAINS) {
      expect(await totals({ grain })).toEqual(both);
      expect(await totals({ grain, tenantId: null })).toEqual(both);
      expect(await totals({ grain, endpointIds: [first.endpointId] })).toMatchObject({
        attempts: 1,
        succeeded: 1,
      });
      expect(await totals({ grain, endpointIds: [second.endpointId], failure: 'http_5xx' })).toMatchObject({
        attempts: 1,
        deadLetters: 1,
      });
    }
    const ofType = { grain: 'day' as const, endpointIds: [first.endpointId], eventType: 'order.created' };
    expect(await totals(ofType)).toMatchObject({ deliveries: 1, attempts: 1 });
    expect(await totals({ eventType: 'order.created' })).toEqual(both);
    expect(await queryRollups(sql, { ...all, by: ['status_class'] })).toMatchObject([
      { statusClass: '', events: 1, deliveries: 2 },
      { statusClass: '2xx', attempts: 1 },
      { statusClass: '5xx', attempts: 1 },
    ]);
    expect(await totals({ tenantId: 'another' })).toMatchObject({ events: 0, attempts: 0 });
  });

  test('are added up by several at once without counting twice', async () => {
    const subjects = Array.from({ length: 20 }, () => newSubject());
    for (const subject of subjects) await write(attempted(subject, 'success'));
    await Promise.all([1, 2, 3].map(() => foldCounts(sql, 5)));
    let more = true;
    while (more) ({ more } = await foldCounts(sql, 5));
    expect(await totals()).toMatchObject({ attempts: 20 });
  });

  test('say of an endpoint how it does', async () => {
    const subject = newSubject();
    const [ok, slow] = [
      attempted(subject, 'success', { attempt: 2 }, { durationMs: 15 }),
      attempted(subject, 'processing', { attempt: 1 }, { durationMs: 4_000 }),
    ];
    await write(ok, slow);
    await foldCounts(sql);
    const window = { windowMs: GRAIN_MS.hour, nowMs: NOW_MS + GRAIN_MS.minute };
    expect(await rollupStats(sql, TENANT, subject.endpointId, window)).toEqual({
      attempts: 2,
      succeeded: 1,
      deadLetters: 0,
      successRate: 0.5,
      latencyMs: { p50: 20, p95: 4_750, p99: 4_950 },
      byStatusClass: { '2xx': 1, '5xx': 1 },
    });
    const later = { windowMs: GRAIN_MS.hour, nowMs: NOW_MS + GRAIN_MS.day };
    expect(await rollupStats(sql, TENANT, subject.endpointId, later)).toMatchObject({
      attempts: 0,
      successRate: null,
    });
  });

  test('go when their time is over, by the minute sooner than by the day', async () => {
    const subject = newSubject();
    const atMs = Date.now() - 200 * GRAIN_MS.day;
    await recordBatch(sql, gatherRows([attempted(subject, 'success', {}, { atMs })]), {
      nowMs: Date.now(),
      health: emptyHealth(),
      failingForMs: 0,
    });
    await foldCounts(sql);
    await removeOldRollups(sql);
    const kept = await sql<{ grain: Grain }[]>`select distinct grain from rollups`;
    expect(kept.map((row) => row.grain)).toEqual(['day']);
  });
});
