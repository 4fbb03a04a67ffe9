import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApi, type TestApi } from './api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

test('a tenant is made, posts an event and sees its webhook, over a real database', async () => {
  const made = await api.call('POST', '/v1/tenants', { tenant_id: 'smoke' });
  expect(made.status).toBe(201);
  const key = made.body.api_key;
  const webhook = await api.call(
    'POST',
    '/v1/webhooks',
    { url: 'https://hooks.example/a', tenant_id: 'smoke', event_types: ['order.*'] },
    { key },
  );
  expect([webhook.status, webhook.text]).toEqual([201, expect.any(String)]);
  const posted = await api.call(
    'POST',
    '/v1/events',
    { tenant_id: 'smoke', type: 'order.created', payload: { n: 1 } },
    { key },
  );
  expect(posted.body).toMatchObject({ webhooks_queued: 1 });
  expect(api.sent.items).toHaveLength(1);
});
