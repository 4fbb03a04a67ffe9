import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './api.ts';

const EVENTS = 10_000;
const SINGLE = 200;
const BATCH = 980;
const KEYED = 50;
/** What goes by time, whatever is posted: polls for changes, for usage, for keys. */
const MOST_BY_TIME = 100;

let api: TestApi;
let tenant: { tenantId: string; key: string };

/** The extension must be there from the server's start: it is in the Postgres that tests start, maybe not in a given one. */
const counts = async (): Promise<boolean> => {
  const [row] = await api.database.sql<{ libraries: string }[]>`
    select setting as libraries from pg_settings where name = 'shared_preload_libraries'`;
  return row!.libraries.includes('pg_stat_statements');
};

beforeAll(async () => {
  api = await startApi();
  const quotas = { maxEventsPerSec: 1_000_000 };
  tenant = await api.createTenant('counted', quotas);
});
afterAll(() => api?.close());

/** How often each statement of this database was run, by its text. */
async function calls(): Promise<Map<string, number>> {
  const rows = await api.database.sql<{ query: string; calls: number }[]>`
    select query, sum(calls)::int as calls from pg_stat_statements
    where dbid = (select oid from pg_database where datname = current_database()) group by query`;
  return new Map(rows.map(({ query, calls }) => [query, calls]));
}

async function callsDuring(work: () => Promise<void>): Promise<[query: string, calls: number][]> {
  const before = await calls();
  await work();
  const after = [...(await calls())].map(([query, n]): [string, number] => [
    query,
    n - (before.get(query) ?? 0),
  ]);
  return after.filter(([query, n]) => n > 0 && !query.includes('pg_stat_statements'));
}

const event = (n: number) => ({ tenant_id: tenant.tenantId, type: 'order.created', payload: { n } });
const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
  const { status } = await api.call('POST', path, body, { key: tenant.key, headers });
  if (status > 202) throw new Error(`${path} was answered ${status}`);
};

async function postAll(): Promise<void> {
  for (let n = 0; n < SINGLE; n++) await post('/v1/events', event(n));
  for (let n = SINGLE; n < EVENTS; n += BATCH) {
    await post(
      '/v1/events/batch',
      Array.from({ length: BATCH }, (_, i) => event(n + i)),
    );
  }
}

describe('what events ask of Postgres', () => {
  it('is nothing for 10,000 of them, and two statements for one with a key', async ({ skip }) => {
    skip(!(await counts()), 'this Postgres was started without pg_stat_statements');
    await api.database.sql`create extension if not exists pg_stat_statements`;
    await post('/v1/events', event(0));
    const without = await callsDuring(postAll);
    expect(api.sent.items).toHaveLength(EVENTS + 1);
    expect(without.filter(([, n]) => n > MOST_BY_TIME)).toEqual([]);
    expect(without.filter(([query]) => query.includes('event_claims'))).toEqual([]);

    const keyed = await callsDuring(async () => {
      for (let n = 0; n < KEYED; n++) await post('/v1/events', event(n), { 'idempotency-key': `key ${n}` });
    });
    const claims = keyed.filter(([query]) => query.includes('event_claims'));
    expect(claims.map(([, n]) => n)).toEqual([KEYED, KEYED]);
  });
});
