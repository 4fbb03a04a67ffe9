import { recountDeadLetters } from '@posthorn/db';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApi, type TestApi } from './api.ts';
import { type RecordedFailure, recordFailure } from './record-failure.ts';

const HOUR_MS = 3_600_000;

let api: TestApi;
let key: string;
let narrow: string;
let apollo: string;
let zeus: string;
let exhausted: RecordedFailure;
let open: RecordedFailure;
let old: RecordedFailure;

const get = (path: string, as = key) => api.call('GET', path, undefined, { key: as });
const idsOf = async (query: string, as?: string): Promise<string[]> =>
  (await get(`/v1/dlq?${query}`, as)).body.entries.map((each: RecordedFailure) => each.delivery_id);

async function makeWebhook(project: string): Promise<string> {
  const url = `https://hooks.example/${project}`;
  const made = await api.call('POST', '/v1/webhooks', { tenant_id: 'shop', url, labels: { project } });
  return made.body.webhook_id;
}

beforeAll(async () => {
  api = await startApi();
  ({ key } = await api.createTenant('shop'));
  await api.createTenant('neighbour');
  apollo = await makeWebhook('apollo');
  zeus = await makeWebhook('zeus');
  exhausted = await recordFailure(api, 'shop', apollo);
  open = await recordFailure(api, 'shop', zeus, { reason: 'circuit_open', failure: 'timeout', agoMs: 1_000 });
  old = await recordFailure(api, 'shop', zeus, { eventType: 'invoice.paid', agoMs: HOUR_MS });
  const made = await api.call('POST', '/v1/webhooks', {
    tenant_id: 'neighbour',
    url: 'https://hooks.example/n',
  });
  await recordFailure(api, 'neighbour', made.body.webhook_id);
  await recountDeadLetters(api.database.sql);
  const labels = { project: 'apollo' };
  narrow = (await api.call('POST', '/v1/portal-tokens', { tenant_id: 'shop', labels })).body.token;
});
afterAll(() => api.close());

describe('the list of dead letters', () => {
  test('is newest first, says how many there are, and goes on at next', async () => {
    const first = (await get('/v1/dlq?limit=2')).body;
    expect(first).toMatchObject({ total: 3, limit: 2, offset: 0, next: '/v1/dlq?limit=2&offset=2' });
    expect(first.entries[0]).toMatchObject({
      delivery_id: exhausted.delivery_id,
      webhook_id: apollo,
      event_id: exhausted.event_id,
      event_type: 'order.created',
      last_error: 'answered 500',
      attempts: 1,
    });
    const second = (await get(first.next)).body;
    expect(second.entries.map((each: RecordedFailure) => each.delivery_id)).toEqual([old.delivery_id]);
    expect(second.next).toBeNull();
  });

  test('holds to every filter that is given', async () => {
    const halfAnHourAgo = new Date(Date.now() - HOUR_MS / 2).toISOString();
    expect(await idsOf('reason=circuit_open')).toEqual([open.delivery_id]);
    expect(await idsOf('failure=timeout')).toEqual([open.delivery_id]);
    expect(await idsOf('event_type=invoice.paid')).toEqual([old.delivery_id]);
    expect(await idsOf(`webhook_id=${zeus}`)).toEqual([open.delivery_id, old.delivery_id]);
    expect(await idsOf(`until=${halfAnHourAgo}`)).toEqual([old.delivery_id]);
    expect(await idsOf(`since=${halfAnHourAgo}&webhook_id=${zeus}`)).toEqual([open.delivery_id]);
    expect(await idsOf(`reason=circuit_open&webhook_id=${apollo}`)).toEqual([]);
  });

  test('shows a narrowed token what belongs to its webhooks alone', async () => {
    expect(await idsOf('', narrow)).toEqual([exhausted.delivery_id]);
    const seen = await get(`/v1/dlq/${exhausted.delivery_id}`, narrow);
    const hidden = await get(`/v1/dlq/${open.delivery_id}`, narrow);
    expect([seen.status, hidden.status]).toEqual([200, 404]);
  });
});

test('a dead letter is found by its delivery, and is none any more once it was sent again', async () => {
  const found = await get(`/v1/dlq/${old.delivery_id}`);
  expect(found.body).toMatchObject({ delivery_id: old.delivery_id, event_type: 'invoice.paid', attempts: 1 });
  await api.database.sql`update deliveries set state = 'success' where delivery_id = ${old.delivery_id}`;
  expect((await get(`/v1/dlq/${old.delivery_id}`)).body).toMatchObject({ code: 'not_a_dead_letter' });
});

test('dead letters are counted by tenant: all for an operator, its own for a tenant', async () => {
  expect((await get('/v1/dlq/counts', api.operatorKey)).body).toEqual({
    data: [
      { tenant_id: 'shop', count: 3 },
      { tenant_id: 'neighbour', count: 1 },
    ],
    total: 4,
  });
  expect((await get('/v1/dlq/counts')).body).toEqual({ data: [{ tenant_id: 'shop', count: 3 }], total: 3 });
});

test('jobs go from page to page and back', async () => {
  for (let i = 0; i < 3; i++) await api.call('POST', '/v1/dlq/retry', { tenant_id: 'shop' }, { key });
  const all = (await get('/v1/jobs')).body.data.map(({ job_id }: { job_id: string }) => job_id);
  const first = (await get('/v1/jobs?limit=2')).body;
  const second = (await get(first.next)).body;
  const back = (await get(second.prev)).body;
  const ids = (page: { data: { job_id: string }[] }) => page.data.map(({ job_id }) => job_id);
  expect(all).toHaveLength(3);
  expect([...ids(first), ...ids(second)]).toEqual(all);
  expect([ids(back), first.prev, second.next]).toEqual([ids(first), null, null]);
});
