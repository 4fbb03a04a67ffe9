import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fakeLog, fakeRecord, fakeSetAside } from '../test/fakes.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const away = () => Promise.reject(new Error('connection refused'));

test('a record set aside is said, counted, kept in the table, and completed after that', async () => {
  const { log, lines } = fakeLog();
  const { setAside, reasons, rows, unkept } = fakeSetAside('replay', log);
  const record = fakeRecord({ topic: 'replay', partition: 2, offset: 9, headers: { ce_tenant: 'acme' } });
  await setAside(record, 'bad_mac', new Error('header ph_mac is missing'));
  expect(lines).toMatchObject([{ level: 'error', message: 'record set aside', fields: { offset: 9 } }]);
  expect(reasons).toEqual(['bad_mac']);
  expect(rows).toEqual([
    {
      topic: 'replay',
      partition: 2,
      offset: 9,
      reason: 'bad_mac: header ph_mac is missing',
      headers: { ce_tenant: 'acme' },
    },
  ]);
  expect([record.completed, unkept]).toEqual([true, []]);
});

test('while postgres is away the row is tried for a bounded time, then the partition goes on', async () => {
  const { log } = fakeLog();
  const { setAside, unkept } = fakeSetAside('fan_out', log, { keep: away, maxTryMs: 1_000 });
  const record = fakeRecord();
  const done = setAside(record, 'malformed');
  await vi.advanceTimersByTimeAsync(500);
  expect(record.completed).toBe(false);
  await vi.advanceTimersByTimeAsync(600);
  await done;
  expect([record.completed, unkept]).toEqual([true, ['fan_out']]);
});

test('where nothing may be lost a row is tried for until postgres is back', async () => {
  const { log } = fakeLog();
  let up = false;
  const keep = () => (up ? Promise.resolve() : away());
  const { setAside, unkept } = fakeSetAside('replay', log, { keep, maxTryMs: Number.POSITIVE_INFINITY });
  const record = fakeRecord();
  void setAside(record, 'bad_mac');
  await vi.advanceTimersByTimeAsync(600_000);
  expect(record.completed).toBe(false);
  up = true;
  await vi.advanceTimersByTimeAsync(5_000);
  expect([record.completed, unkept]).toEqual([true, []]);
});

test('a flood of poison does not wait for postgres: rows beyond the bound are left out', async () => {
  const { log } = fakeLog();
  const { setAside, unkept, reasons } = fakeSetAside('release', log, { keep: away, maxRows: 2 });
  const records = [fakeRecord(), fakeRecord(), fakeRecord(), fakeRecord()];
  for (const record of records) void setAside(record, 'malformed');
  await vi.advanceTimersByTimeAsync(0);
  expect(records.map((record) => record.completed)).toEqual([false, false, true, true]);
  expect([unkept.length, reasons.length]).toEqual([2, 4]);
});

test('a row that postgres can never take is not tried again', async () => {
  const { log } = fakeLog();
  const bad = () => Promise.reject(Object.assign(new Error('bad'), { code: '22P05' }));
  const { setAside, unkept } = fakeSetAside('release', log, { keep: bad });
  const record = fakeRecord();
  await setAside(record, 'malformed');
  expect([record.completed, unkept]).toEqual([true, ['release']]);
});

test('what postgres has no room for is cut or replaced', async () => {
  const { log } = fakeLog();
  const { setAside, rows } = fakeSetAside('replay', log);
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`h${i}`, 'x']));
  await setAside(
    fakeRecord({ headers: { 'a\0b': '\ud800', long: 'y'.repeat(5_000), ...many } }),
    'malformed',
  );
  const { headers } = rows[0]!;
  expect(headers['a\uFFFDb']).toBe('\uFFFD');
  expect(headers.long).toHaveLength(1_024);
  expect(Object.keys(headers)).toHaveLength(64);
});

test('a record that another process owns now is left to it', async () => {
  const { log } = fakeLog();
  const { setAside, rows } = fakeSetAside('replay', log);
  const record = fakeRecord({ live: false });
  await setAside(record, 'malformed');
  expect(rows).toEqual([]);
});
