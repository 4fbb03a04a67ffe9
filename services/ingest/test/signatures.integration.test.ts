import { openSecret } from '@posthorn/secrets';
import { parsePrivateKey } from '@posthorn/signing';
import { ED25519_KEY_FIELD } from '@posthorn/tenant-config';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApi, type TestApi } from './api.ts';

let api: TestApi;
let key: string;
const tenantId = 'signatures';

beforeAll(async () => {
  api = await startApi((parts) => ({ ...parts, signatureHeaderPrefix: 'acme' }));
  ({ key } = await api.createTenant(tenantId, { maxWebhooks: 100 }));
});
afterAll(() => api.close());

const call = (method: string, path: string, body?: unknown) =>
  api.call(method, `/v1/webhooks${path}`, body, { key });
const create = (fields: object = {}) => call('POST', '', { url: 'https://hooks.example/a', ...fields });

/** What the worker signs with, by the public halves. */
async function keysOf(endpointId: string): Promise<string[]> {
  const found = await api.configs.get(tenantId);
  if (found.kind !== 'found') throw new Error(found.kind);
  return found.config.endpoints.get(endpointId)!.signingKeys!.map(({ text }) => {
    const parsed = parsePrivateKey(text);
    return parsed.ok ? parsed.key.publicKey : parsed.reason;
  });
}

test('a webhook is signed by its secret alone unless it asks for more', async () => {
  const { body } = await create();
  expect([body.signatures, body.public_key, body.previous_public_keys]).toEqual([['v1'], null, []]);
  expect(await keysOf(body.webhook_id)).toEqual([]);
});

test('one that asks for ed25519 has a key of which only the public half is ever shown', async () => {
  const { status, body } = await create({ signatures: ['v1a', 'v1'] });
  expect(status).toBe(201);
  expect(body.signatures).toEqual(['v1', 'v1a']);
  expect(await keysOf(body.webhook_id)).toEqual([body.public_key]);
  const [row] = await api.database
    .sql`select sealed_signing_keys from endpoints where endpoint_id = ${body.webhook_id}`;
  const sealedFor = { tenantId, endpointId: body.webhook_id, field: ED25519_KEY_FIELD };
  const text = openSecret(api.parts.keyRing, sealedFor, row!.sealedSigningKeys[0]);
  expect(text).toMatch(/^whsk_/);
  const audited = await api.database.sql`select * from audit_log where subject = ${body.webhook_id}`;
  const seen = [body, (await call('GET', `/${body.webhook_id}`)).body, audited];
  expect(JSON.stringify(seen)).not.toContain(text.slice('whsk_'.length));
});

test('the audit log has the public half of a new key, and the private one not even sealed', async () => {
  const { body: made } = await create({ signatures: ['v1a'] });
  const { body: changed } = await create();
  const { body } = await call('PATCH', `/${changed.webhook_id}`, { signatures: ['v1a'] });
  for (const webhook of [made, body]) {
    const [audited] = await api.database.sql`
      select after, after::text as text from audit_log where subject = ${webhook.webhook_id} order by seq desc`;
    expect(audited!.after).toMatchObject({ signatures: ['v1a'], public_key: webhook.public_key });
    expect(audited!.text).not.toMatch(/v[12]\.[0-9a-f]{8}\./);
  }
});

test('the key stays when ed25519 is put away and taken up again', async () => {
  const { body } = await create({ signatures: ['v1a'] });
  const id = body.webhook_id;
  expect((await call('PATCH', `/${id}`, { signatures: ['v1'] })).body.public_key).toBe(body.public_key);
  const again = await call('PATCH', `/${id}`, { signatures: ['v1', 'v1a'] });
  expect(again.body).toMatchObject({ signatures: ['v1', 'v1a'], public_key: body.public_key });
  const replaced = await api.call(
    'PUT',
    `/v1/webhooks/${id}`,
    { url: body.url },
    {
      key,
      headers: { 'if-match': '*' },
    },
  );
  expect(replaced.body).toMatchObject({ signatures: ['v1'], public_key: body.public_key });
});

test('of two that take up ed25519 at once one key is there, and both are told it', async () => {
  const { body } = await create();
  const answers = await Promise.all(
    [1, 2].map(() => call('PATCH', `/${body.webhook_id}`, { signatures: ['v1a'] })),
  );
  const told = new Set(answers.map((answer) => answer.body.public_key));
  expect([...told]).toEqual(await keysOf(body.webhook_id));
});

test('a rotation makes both anew; what was before signs until the grace ends', async () => {
  const { body: before } = await create({ signatures: ['v1', 'v1a'] });
  const path = `/${before.webhook_id}/secret`;
  const { body } = await call('POST', `${path}/rotate`, { grace_period_seconds: 60 });
  expect(body.public_key).not.toBe(before.public_key);
  expect(body.previous_public_keys).toEqual([
    { public_key: before.public_key, expires_at: body.previous_secrets[0].expires_at },
  ]);
  expect(await keysOf(before.webhook_id)).toEqual([body.public_key, before.public_key]);
  const ended = await call('DELETE', `${path}/previous`);
  expect(ended.body).toMatchObject({ public_key: body.public_key, previous_public_keys: [] });
  expect(await keysOf(before.webhook_id)).toEqual([body.public_key]);
});

test('a rotation without grace ends the key before at once', async () => {
  const { body: before } = await create({ signatures: ['v1a'] });
  const { body } = await call('POST', `/${before.webhook_id}/secret/rotate`, { grace_period_seconds: 0 });
  expect(body.previous_public_keys).toEqual([]);
  expect(await keysOf(before.webhook_id)).toEqual([body.public_key]);
});

test('a private key of ed25519 is no secret', async () => {
  const secret = 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc=';
  expect((await create({ secret })).status).toBe(400);
});

test.each([[[]], [['v2']], [['v1', 'v1']], [['v1', 'v1a', 'v1']], ['v1'], [null]])(
  'signatures %j are refused',
  async (signatures) => {
    expect((await create({ signatures })).status).toBe(400);
  },
);

test("headers under the operator's prefix are refused by name", async () => {
  const { status, body } = await create({ headers: { 'Acme-Id': 'x', 'X-ACME-Run': 'x', 'x-ok': 'y' } });
  expect(status).toBe(400);
  expect(body.errors).toEqual([
    { pointer: '/headers', detail: '"Acme-Id" is reserved' },
    { pointer: '/headers', detail: '"X-ACME-Run" is reserved' },
  ]);
  const auth = { type: 'api_key', header: 'x-acme-key', value: 'k' };
  expect((await create({ auth })).body.errors).toEqual([
    { pointer: '/auth/header', detail: '"x-acme-key" is reserved' },
  ]);
});
