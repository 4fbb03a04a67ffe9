import { startReceiver } from '@posthorn/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { createApi } from './api.ts';

const refusal = (code: string) => ({
  status: 503,
  headers: { 'retry-after': '0' },
  body: JSON.stringify({ code }),
});

async function setup(code: string) {
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const made = { status: 201, body: JSON.stringify({ api_key: 'k' }) };
  receiver.answer('/v1/tenants', ({ nth }) => (nth < 2 ? refusal(code) : made));
  return { receiver, api: createApi(receiver.url(''), 'operator') };
}

test('what ingest cannot ask Postgres at the moment is asked again, as it says', async () => {
  const { receiver, api } = await setup('database_unavailable');
  expect(await api.createTenant({ tenantId: 'acme' })).toEqual({ tenantId: 'acme', key: 'k' });
  expect(receiver.arrivals()).toHaveLength(3);
});

test('another refusal ends it', async () => {
  const { receiver, api } = await setup('kafka_unavailable');
  await expect(api.createTenant()).rejects.toThrow('answered 503, not 201');
  expect(receiver.arrivals()).toHaveLength(1);
});
