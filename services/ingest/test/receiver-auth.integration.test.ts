import { readFileSync } from 'node:fs';
import { openSecret } from '@posthorn/secrets';
import { createAuthority } from '@posthorn/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { startApi, type TestApi } from './api.ts';

let api: TestApi;
let tenantId: string;
let key: string;
let tenants = 0;
const CANARY = 'canary-of-a-credential';
const URL_HERE = 'https://hooks.example/a';
const URL_ELSEWHERE = 'https://other.example/a';

const authority = createAuthority();
const client = authority.issue({ name: 'posthorn' });
const TLS = {
  ca: authority.certificate,
  client_certificate: client.certificate,
  client_key: client.key,
};
const BEARER = { type: 'bearer', token: CANARY };
const OAUTH2 = {
  type: 'oauth2_client_credentials',
  token_url: 'https://login.example/token',
  client_id: 'posthorn',
  client_secret: CANARY,
  scope: 'hooks.write',
};

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());
beforeEach(async () => {
  ({ tenantId, key } = await api.createTenant(`auth-${++tenants}`, { maxWebhooks: 20 }));
});

const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  api.call(method, `/v1/webhooks${path}`, body, { key, headers });
const create = (fields: object = {}) => call('POST', '', { url: URL_HERE, tenant_id: tenantId, ...fields });
const made = async (fields: object = {}): Promise<string> => (await create(fields)).body.webhook_id;
const patch = (id: string, fields: object) => call('PATCH', `/${id}`, fields);
const rowOf = async (id: string) =>
  (await api.database.sql`select * from endpoints where endpoint_id = ${id}`)[0]!;
const opened = async (id: string, field: 'auth' | 'tls') => {
  const row = await rowOf(id);
  const sealed = field === 'auth' ? row.sealedAuth : row.sealedTls;
  return JSON.parse(openSecret(api.parts.keyRing, { tenantId, endpointId: id, field }, sealed));
};
const everything = async (id: string): Promise<string> => {
  const { sql } = api.database;
  const rows = [
    await rowOf(id),
    await sql`select * from audit_log where subject = ${id}`,
    await sql`select * from endpoint_requests where endpoint_id = ${id}`,
  ];
  const seen = await Promise.all([call('GET', `/${id}`), call('GET', ''), api.call('GET', '/v1/audit-log')]);
  return [JSON.stringify(rows), ...seen.map(({ text }) => text)].join('\n');
};

describe('authentication of a webhook', () => {
  test.each([
    [BEARER, { type: 'bearer', token: '***' }],
    [
      { type: 'api_key', header: 'X-Api-Key', value: CANARY },
      { type: 'api_key', header: 'x-api-key', value: '***' },
    ],
    [
      { type: 'basic', username: 'posthorn', password: CANARY },
      { type: 'basic', username: 'posthorn', password: '***' },
    ],
    [OAUTH2, { ...OAUTH2, client_secret: '***' }],
  ])('is sealed, and shown without what is secret: %j', async (auth, shown) => {
    const { status, body, text } = await create({ auth });
    expect([status, body.auth]).toEqual([201, shown]);
    expect(text).not.toContain(CANARY);
    expect(JSON.stringify(await opened(body.webhook_id, 'auth'))).toContain(CANARY);
    await patch(body.webhook_id, { auth: null });
    expect((await call('GET', `/${body.webhook_id}`)).body.auth).toBeNull();
    expect(await everything(body.webhook_id)).not.toContain(CANARY);
  });

  test('stays where the mask is given back, also when what is beside it changes', async () => {
    const id = await made({ auth: OAUTH2 });
    const before = await rowOf(id);
    const shown = (await call('GET', `/${id}`)).body.auth;
    await patch(id, { auth: shown });
    expect((await rowOf(id)).revision).toBe(before.revision);
    const { body } = await patch(id, { auth: { ...shown, scope: 'other' } });
    expect(body.auth).toEqual({ ...shown, scope: 'other' });
    expect(await opened(id, 'auth')).toEqual({ ...OAUTH2, scope: 'other' });
    const replaced = await call('PUT', `/${id}`, { url: URL_HERE }, { 'if-match': '*' });
    expect([replaced.body.auth, (await rowOf(id)).sealedAuth]).toEqual([null, null]);
  });

  test.each([
    ['that is not stored', { auth: { type: 'bearer', token: '***' } }, '/auth/token'],
    ['of another type', { auth: { type: 'basic', username: 'a', password: '***' } }, '/auth/password'],
    [
      'for the tokens of another server',
      { auth: { ...OAUTH2, token_url: 'https://evil.example/token', client_secret: '***' } },
      '/auth/client_secret',
    ],
    ['for another receiver', { url: URL_ELSEWHERE }, '/auth'],
    [
      'for another receiver, by its mask',
      { url: URL_ELSEWHERE, auth: { ...OAUTH2, scope: 'b', client_secret: '***' } },
      '/auth',
    ],
    ['for another receiver, in the clear', { url: 'http://hooks.example/a' }, '/auth'],
  ])('is not taken from a stored secret %s', async (_what, change, pointer) => {
    const id = await made({ auth: OAUTH2 });
    const { status, body, text } = await patch(id, change);
    expect([status, body.errors?.[0].pointer]).toEqual([400, pointer]);
    expect(text).not.toContain(CANARY);
    expect((await rowOf(id)).url).toBe(URL_HERE);
  });

  test('goes along to another server when it is given anew, or taken away', async () => {
    const anew = await patch(await made({ auth: OAUTH2 }), { url: URL_ELSEWHERE, auth: BEARER });
    expect([anew.status, anew.body.auth.type]).toEqual([200, 'bearer']);
    const without = await patch(await made({ auth: OAUTH2 }), { url: URL_ELSEWHERE, auth: null });
    expect([without.status, without.body.auth]).toEqual([200, null]);
  });

  test('given for one server is not kept by a change that meets a move to another', async () => {
    const id = await made({ headers: { 'x-token': CANARY } });
    const before = (await rowOf(id)).sealedHeaders['x-token'];
    const move = { url: URL_ELSEWHERE, headers: { 'x-token': 'mine' } };
    const keep = { headers: { 'x-token': '***', 'x-new': 'a' } };
    const { store } = api.parts;
    const meeting = vi.spyOn(store, 'changeEndpoint').mockImplementationOnce(async (...change) => {
      expect((await patch(id, move)).status).toBe(200);
      return store.changeEndpoint(...change);
    });
    const kept = await patch(id, keep);
    meeting.mockRestore();
    const { url, sealedHeaders } = await rowOf(id);
    expect([kept.status, kept.body.url, url]).toEqual([200, URL_ELSEWHERE, URL_ELSEWHERE]);
    expect(Object.keys(sealedHeaders).sort()).toEqual(['x-new', 'x-token']);
    expect(sealedHeaders['x-token']).not.toBe(before);
  });

  test.each([
    [{ type: 'bearer' }, '/auth/token', 'is required'],
    [{ type: 'bearer', token: '' }, '/auth/token', 'is required'],
    [{ type: 'bearer', token: `${CANARY}\r\nx-evil: 1` }, '/auth/token', 'visible ASCII'],
    [{ type: 'bearer', token: CANARY, username: 'a' }, '/auth/username', 'is not of the type bearer'],
    [{ type: 'bearer', token: CANARY, extra: 1 }, '/auth/extra', 'is not a known field'],
    [{ type: 'digest' }, '/auth/type', 'must be "bearer"'],
    [{ type: 'api_key', header: 'Host', value: CANARY }, '/auth/header', 'is reserved'],
    [{ type: 'api_key', header: 'webhook-signature', value: CANARY }, '/auth/header', 'is reserved'],
    [{ type: 'api_key', header: 'x-a', value: `${CANARY}\n` }, '/auth/header', 'printable ASCII'],
    [{ type: 'basic', username: 'a:b', password: CANARY }, '/auth/username', 'without colons'],
    [{ type: 'basic', username: 'a', password: `${CANARY}\u0000` }, '/auth/password', 'control characters'],
    [{ ...OAUTH2, token_url: 'http://127.0.0.1/token' }, '/auth/token_url', 'may not be used'],
    [{ ...OAUTH2, client_secret: `${CANARY}é` }, '/auth/client_secret', 'printable ASCII'],
    [{ ...OAUTH2, scope: 'a "b"' }, '/auth/scope', 'must be scopes'],
    [{ ...OAUTH2, scope: '' }, '/auth/scope', 'must be scopes'],
    [{ ...OAUTH2, auth_style: 'query' }, '/auth/auth_style', 'must be "basic" or "body"'],
    ['bearer', '/auth', 'must be object'],
  ])('that is malformed is refused without being quoted: %j', async (auth, pointer, detail) => {
    const { status, body, text } = await create({ auth });
    expect([status, body.errors?.[0].pointer]).toEqual([400, pointer]);
    expect(body.errors[0].detail).toContain(detail);
    expect(text).not.toContain(CANARY);
  });

  test.each([
    ['Authorization', BEARER],
    ['X-Api-Key', { type: 'api_key', header: 'x-api-key', value: CANARY }],
  ])('is not said twice: in the header %s too', async (name, auth) => {
    const headers = { [name]: 'a' };
    for (const answer of [
      await create({ headers, auth }),
      await patch(await made({ headers }), { auth }),
      await patch(await made({ auth }), { headers }),
    ])
      expect([answer.status, answer.body.errors[0].pointer]).toEqual([400, '/auth']);
  });

  test('is of a system webhook as well', async () => {
    const { body } = await api.call('POST', '/v1/system/webhooks', { url: URL_HERE, auth: BEARER, tls: TLS });
    expect([body.auth, body.tls.client_key]).toEqual([{ type: 'bearer', token: '***' }, '***']);
  });

  test('that was written by SQL has an audit row without it', async () => {
    const id = await made({ auth: BEARER });
    await api.database.sql`update endpoints set sealed_auth = ${CANARY} where endpoint_id = ${id}`;
    const [entry] = await api.database.sql`
      select before, after from audit_log where subject = ${id} order by audit_id desc limit 1`;
    expect(entry!.after).toEqual({ sealed_auth: '[redacted]' });
  });
});

test('the changes of the guide are made as they stand there', async () => {
  const guide = readFileSync(new URL('../../../docs/guides/receiver-auth.md', import.meta.url), 'utf8');
  const bodies = [...guide.matchAll(/-d '(\{[^']*\})'/g)].map(([, body]) => JSON.parse(body!));
  const id = await made();
  for (const body of bodies) expect((await patch(id, body)).status).toBe(200);
  const types = bodies.map(({ auth }) => auth.type);
  expect(types).toEqual(['bearer', 'api_key', 'basic', 'oauth2_client_credentials']);
});

describe('certificates of a webhook', () => {
  test('are shown but for the private key, which is sealed', async () => {
    const { status, body } = await create({ tls: TLS });
    const id = body.webhook_id;
    expect([status, body.tls]).toEqual([201, { ...TLS, client_key: '***' }]);
    expect(await opened(id, 'tls')).toEqual(TLS);
    expect(await everything(id)).not.toContain('PRIVATE KEY');
    const { revision } = await rowOf(id);
    await patch(id, { tls: body.tls });
    expect((await rowOf(id)).revision).toBe(revision);
    const without = { client_certificate: TLS.client_certificate, client_key: '***' };
    expect((await patch(id, { tls: without })).body.tls).toEqual(without);
    expect(await opened(id, 'tls')).toEqual({ ...without, client_key: TLS.client_key });
    expect((await patch(id, { tls: null })).body.tls).toBeNull();
  });

  test.each([
    [{ ca: 'no PEM' }, '/tls/ca'],
    [{ client_certificate: TLS.client_certificate }, '/tls/client_key'],
    [{ client_key: TLS.client_key }, '/tls/client_certificate'],
    [{ ...TLS, client_key: authority.issue({ name: 'another' }).key }, '/tls/client_key'],
    [{ ca: TLS.client_key }, '/tls/ca'],
    [{ ...TLS, client_key: '***' }, '/tls/client_key'],
    [{}, '/tls'],
  ])('that cannot be used are refused: case %#', async (tls, pointer) => {
    const { status, body, text } = await create({ tls });
    expect([status, body.errors?.[0].pointer]).toEqual([400, pointer]);
    expect(text).not.toContain('PRIVATE KEY');
  });

  test('are for https, and a private key goes along to no other server', async () => {
    const plain = await create({ url: 'http://hooks.example/a', tls: { ca: TLS.ca } });
    expect([plain.status, plain.body.errors[0].pointer]).toEqual([400, '/tls']);
    const moved = await patch(await made({ tls: TLS }), { url: URL_ELSEWHERE });
    expect([moved.status, moved.body.errors[0].pointer]).toEqual([400, '/tls']);
    const trusting = await patch(await made({ tls: { ca: TLS.ca } }), { url: URL_ELSEWHERE });
    expect([trusting.status, trusting.body.tls]).toEqual([200, { ca: TLS.ca }]);
  });
});
