import { openSecret } from '@posthorn/secrets';
import { headerField, SIGNING_SECRET_FIELD } from '@posthorn/tenant-config';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ApiAnswer, startApi, type TestApi } from './api.ts';

let api: TestApi;
let tenantId: string;
let key: string;
let tenants = 0;
const CANARY = 'canary-of-a-header';

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());
beforeEach(async () => {
  ({ tenantId, key } = await api.createTenant(`tenant-${++tenants}`, { maxWebhooks: 10 }));
});

const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  api.call(method, `/v1/webhooks${path}`, body, { key, headers });
const create = (fields: object = {}) =>
  call('POST', '', { url: 'https://hooks.example/a', tenant_id: tenantId, ...fields });
const made = async (fields: object = {}): Promise<string> => (await create(fields)).body.webhook_id;
const rowOf = async (id: string) =>
  (await api.database.sql`select * from endpoints where endpoint_id = ${id}`)[0]!;
const audited = async (id: string) =>
  api.database
    .sql`select action, before, after, detail from audit_log where subject = ${id} order by audit_id`;
const codeOf = ({ status, body }: ApiAnswer) => [status, body.code];

test('the call of the guide works as it stands', async () => {
  const { status, body } = await api.call('POST', '/webhooks', {
    url: 'https://hooks.example/orders',
    secret: 'webhook_secret_key',
    event_types: ['order.created', 'order.updated'],
    tenant_id: tenantId,
  });
  expect([status, body.secret, body.event_types]).toEqual([
    201,
    'webhook_secret_key',
    ['order.created', 'order.updated'],
  ]);
});

describe('a webhook', () => {
  const everything = {
    description: 'Orders',
    event_types: ['order.*'],
    labels: { region: 'eu' },
    method: 'PUT',
    metadata: { team: 'billing' },
    retry_schedule: [1, 2],
    attempt_timeout_ms: 1_000,
    max_concurrency: 3,
    max_per_sec: 7,
    max_retry_seconds: 60,
  };

  test('has what it was given, and says where it is', async () => {
    const { status, body, headers } = await create(everything);
    expect([status, headers.location]).toEqual([201, `/v1/webhooks/${body.webhook_id}`]);
    expect(body).toMatchObject({ ...everything, tenant_id: tenantId, enabled: true, paused: false });
    const seen = await call('GET', `/${body.webhook_id}`);
    expect(seen.headers.etag).toBe(headers.etag);
    const { secret: _shownOnce, ...shown } = body;
    expect(seen.body).toEqual(shown);
  });

  test('is of the tenant of the key where it names none', async () => {
    const { body } = await call('POST', '', { url: 'https://hooks.example/a' });
    expect(body.tenant_id).toBe(tenantId);
    const { body: refused } = await api.call('POST', '/v1/webhooks', { url: 'https://hooks.example/a' });
    expect(refused.errors).toEqual([{ pointer: '/tenant_id', detail: 'is required with an operator key' }]);
  });

  test('may start disabled or paused, and then matches accordingly', async () => {
    expect((await create({ enabled: false })).body).toMatchObject({ state: 'disabled', enabled: false });
    expect((await create({ paused: true })).body).toMatchObject({ state: 'paused', pause_mode: 'hold' });
    const { body } = await create({ enabled: false, paused: true });
    expect(body.errors).toMatchObject([{ pointer: '/paused' }]);
    const event = { tenant_id: tenantId, type: 'order.created', payload: {} };
    const posted = await api.call('POST', '/v1/events', event, { key });
    expect(posted.body).toMatchObject({ webhooks_queued: 1 });
  });

  test('beyond the quota is refused, also when many are made at once', async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, () => create()));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(10);
    expect(codeOf(await create())).toEqual([409, 'webhook_quota_exceeded']);
  });

  test('takes a filter and says what is wrong with one', async () => {
    const filter = { payload: { total: { $gte: 100 } } };
    const id = await made({ filter });
    expect((await call('GET', `/${id}`)).body.filter).toEqual(filter);
    expect((await call('PATCH', `/${id}`, { filter: null })).body.filter).toBeNull();
    const { status, body } = await call('PATCH', `/${id}`, { filter: { payload: { total: { $gt: {} } } } });
    expect(status).toBe(400);
    expect(body.errors[0].pointer).toMatch(/^\/filter\/payload/);
  });
});

describe('headers of a receiver', () => {
  const headers = { Authorization: `Bearer ${CANARY}`, 'X-Tenant': 'a' };
  const masked = { authorization: '***', 'x-tenant': '***' };

  test('are sealed for their name, and their values are nowhere to be seen', async () => {
    const { body, text } = await create({ headers });
    const id = body.webhook_id;
    expect(body.headers).toEqual(masked);
    const listed = await call('GET', '');
    const stored = JSON.stringify([await rowOf(id), await audited(id)]);
    for (const seen of [text, listed.text, stored]) expect(seen).not.toContain(CANARY);
    const { sealedHeaders } = await rowOf(id);
    const sealedFor = { tenantId, endpointId: id, field: headerField('authorization') };
    expect(openSecret(api.parts.keyRing, sealedFor, sealedHeaders.authorization)).toBe(`Bearer ${CANARY}`);
  });

  test('stay what they were where the mask is given back, and go where they are left out', async () => {
    const id = await made({ headers });
    const { sealedHeaders: before } = await rowOf(id);
    const changed = await call('PATCH', `/${id}`, { headers: { authorization: '***', 'x-new': 'b' } });
    expect(changed.body.headers).toEqual({ authorization: '***', 'x-new': '***' });
    const { sealedHeaders: after } = await rowOf(id);
    expect(after.authorization).toBe(before.authorization);
    expect(Object.keys(after).sort()).toEqual(['authorization', 'x-new']);
    const nothing = await call('PATCH', `/${id}`, { headers: { 'x-other': '***' } });
    expect(nothing.body.errors).toMatchObject([{ pointer: '/headers/x-other' }]);
  });

  test('do not go along to another server, where they could be read', async () => {
    const id = await made({ headers });
    const url = 'https://elsewhere.example/a';
    for (const change of [{ url }, { url, headers: masked }]) {
      const { status, body } = await call('PATCH', `/${id}`, change);
      expect([status, body.errors[0].pointer]).toEqual([400, '/headers']);
    }
    const onSame = await call('PATCH', `/${id}`, { url: 'https://hooks.example/another' });
    expect([onSame.status, onSame.body.headers]).toEqual([200, masked]);
    const anew = await call('PATCH', `/${id}`, { url, headers: { 'x-new': 'b' } });
    expect([anew.status, anew.body.headers]).toEqual([200, { 'x-new': '***' }]);
  });

  test('that are reserved are refused by name', async () => {
    const { status, body } = await create({ headers: { HOST: 'x', 'webhook-ID': 'x', 'x-ok': CANARY } });
    expect(status).toBe(400);
    expect(body.errors).toEqual([
      { pointer: '/headers', detail: '"HOST" is reserved; "webhook-ID" is reserved' },
    ]);
  });
});

describe('a change', () => {
  test('on the condition of a state that is past is refused, and says the state that is', async () => {
    const id = await made();
    const { headers } = await call('GET', `/${id}`);
    const seen = { 'if-match': headers.etag as string };
    const first = await call('PATCH', `/${id}`, { description: 'first' }, seen);
    expect(first.status).toBe(200);
    for (const [method, body] of [
      ['PATCH', { description: 'second' }],
      ['PUT', { url: 'https://hooks.example/b' }],
      ['DELETE', undefined],
    ] as const) {
      const stale = await call(method, `/${id}`, body, seen);
      expect(codeOf(stale)).toEqual([412, 'precondition_failed']);
      expect(stale.headers.etag).toBe(first.headers.etag);
    }
    expect((await call('GET', `/${id}`)).body.description).toBe('first');
  });

  test('of two at once on one condition happens once', async () => {
    const id = await made();
    const { headers } = await call('GET', `/${id}`);
    const answers = await Promise.all(
      ['one', 'two'].map((description) =>
        call('PATCH', `/${id}`, { description }, { 'if-match': headers.etag as string }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
  });

  test('that says what is so already changes nothing', async () => {
    const fields = { event_types: ['order.*'], labels: { a: '1', b: '2' }, metadata: { z: '1', a: '2' } };
    const { body, headers } = await create(fields);
    const again = await call('PATCH', `/${body.webhook_id}`, { ...fields, labels: { b: '2', a: '1' } });
    expect([again.status, again.headers.etag]).toEqual([200, headers.etag]);
    expect(await audited(body.webhook_id)).toMatchObject([{ action: 'endpoint.created' }]);
  });

  test('needs a condition where it replaces all', async () => {
    const id = await made({ description: 'x' });
    expect(codeOf(await call('PUT', `/${id}`, { url: 'https://hooks.example/b' }))).toEqual([
      428,
      'precondition_required',
    ]);
    expect(
      codeOf(await call('PUT', `/${id}`, { url: 'https://hooks.example/b' }, { 'if-match': 'x' })),
    ).toEqual([400, 'invalid_request']);
  });

  test('that replaces all puts back what it leaves out, but for the secret and the state', async () => {
    const { body: before } = await create({
      description: 'x',
      labels: { a: '1' },
      headers: { 'x-a': 'b', 'x-c': 'd' },
      method: 'PUT',
      max_per_sec: 5,
      paused: true,
    });
    const replacement = { url: 'https://hooks.example/b', headers: { 'x-a': '***' } };
    const id = before.webhook_id;
    const { status, body } = await call('PUT', `/${id}`, replacement, { 'if-match': '*' });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      ...replacement,
      description: '',
      event_types: ['*'],
      labels: {},
      method: 'POST',
      max_per_sec: null,
      paused: true,
    });
    expect((await rowOf(id)).sealedSecrets).toHaveLength(1);
  });

  test('of the state goes by fields and is audited step by step', async () => {
    const id = await made();
    const states: unknown[] = [];
    for (const wanted of [
      { paused: true },
      { paused: false },
      { enabled: false },
      { enabled: true, paused: true },
    ])
      states.push((await call('PATCH', `/${id}`, wanted)).body.state);
    expect(states).toEqual(['paused', 'active', 'disabled', 'paused']);
    await call('PATCH', `/${id}`, { enabled: false });
    expect(codeOf(await call('PATCH', `/${id}`, { paused: true }))).toEqual([409, 'webhook_disabled']);
    expect((await audited(id)).map(({ action }) => action)).toEqual([
      'endpoint.created',
      'endpoint.paused',
      'endpoint.resumed',
      'endpoint.disabled',
      'endpoint.enabled',
      'endpoint.paused',
      'endpoint.disabled',
    ]);
  });

  test('is audited with what was before and after', async () => {
    const id = await made({ headers: { 'x-a': CANARY } });
    await call('PATCH', `/${id}`, { description: 'new', headers: { 'x-a': `${CANARY}-2` } });
    const [, updated] = await audited(id);
    expect(updated).toMatchObject({
      action: 'endpoint.updated',
      before: { description: '' },
      after: { description: 'new' },
    });
    expect(JSON.stringify(await audited(id))).not.toMatch(/canary|v1\./);
  });
});

describe('a secret', () => {
  const opened = async (id: string) => {
    const sealedFor = { tenantId, endpointId: id, field: SIGNING_SECRET_FIELD };
    return (await rowOf(id)).sealedSecrets.map((sealed: string) =>
      openSecret(api.parts.keyRing, sealedFor, sealed),
    );
  };

  test('is rotated: the new one is shown once, those before sign until their grace ends', async () => {
    const { body: before } = await create({ secret: 'the_first_secret_of_all' });
    const id = before.webhook_id;
    const asked = Date.now();
    const { status, body, headers } = await call('POST', `/${id}/secret/rotate`, {
      grace_period_seconds: 60,
    });
    expect(status).toBe(200);
    expect(body.secret).toMatch(/^whsec_/);
    const endsInMs = Date.parse(body.previous_secrets[0].expires_at) - asked;
    expect(endsInMs).toBeGreaterThan(59_000);
    expect(endsInMs).toBeLessThan(70_000);
    expect(await opened(id)).toEqual([body.secret, 'the_first_secret_of_all']);
    const seen = await call('GET', `/${id}`);
    expect(seen.headers.etag).toBe(headers.etag);
    expect(seen.text).not.toContain(body.secret);
    const ended = await call('DELETE', `/${id}/secret/previous`);
    expect(ended.body.previous_secrets).toEqual([]);
    expect(await opened(id)).toEqual([body.secret]);
    expect((await call('DELETE', `/${id}/secret/previous`)).status).toBe(200);
    expect((await audited(id)).map(({ action }) => action)).toEqual([
      'endpoint.created',
      'endpoint.secret_rotated',
      'endpoint.secret_grace_ended',
    ]);
    expect(JSON.stringify(await audited(id))).not.toContain(body.secret);
  });

  test('may be one of your own, and end the others at once', async () => {
    const id = await made();
    const rotation = { secret: 'another_webhook_secret', grace_period_seconds: 0 };
    const { body } = await call('POST', `/${id}/secret/rotate`, rotation);
    expect([body.secret, body.previous_secrets]).toEqual(['another_webhook_secret', []]);
    expect(await opened(id)).toEqual(['another_webhook_secret']);
  });

  test('is not rotated faster than receivers can follow', async () => {
    const id = await made();
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) statuses.push((await call('POST', `/${id}/secret/rotate`)).status);
    expect(statuses).toEqual([200, 200, 409]);
    expect(codeOf(await call('POST', `/${id}/secret/rotate`, {}))).toEqual([409, 'too_many_secrets']);
    expect((await call('POST', `/${id}/secret/rotate`, { grace_period_seconds: 0 })).status).toBe(200);
  });

  test.each([{ grace_period_seconds: 604_801 }, { grace_period_seconds: -1 }, { secret: 'short' }, { a: 1 }])(
    'is not rotated with %j',
    async (rotation) => {
      expect((await call('POST', `/${await made()}/secret/rotate`, rotation)).status).toBe(400);
    },
  );
});

describe('a list of webhooks', () => {
  test('comes in pages, forwards and back', async () => {
    const ids = [await made(), await made(), await made()];
    const follow = async (path: string) => {
      const { body } = await api.call('GET', path, undefined, { key });
      return { ids: body.data.map((each: { webhook_id: string }) => each.webhook_id), ...body };
    };
    const first = await follow('/v1/webhooks?limit=2');
    expect([first.ids, first.prev]).toEqual([ids.slice(0, 2), null]);
    const second = await follow(first.next);
    expect([second.ids, second.next]).toEqual([ids.slice(2), null]);
    expect((await follow(second.prev)).ids).toEqual(ids.slice(0, 2));
  });

  test('takes filters, which the links of its pages keep', async () => {
    const ids = [
      await made({ labels: { region: 'eu' }, event_types: ['order.*'] }),
      await made({ labels: { region: 'eu' }, event_types: ['user.created'], url: 'https://other.example/X' }),
    ];
    const found = async (query: string) =>
      (await call('GET', `?${query}`)).body.data.map((each: { webhook_id: string }) => each.webhook_id);
    expect(await found('label=region:eu')).toEqual(ids);
    expect(await found('label=region:us')).toEqual([]);
    expect(await found('event_type=order.created')).toEqual(ids.slice(0, 1));
    expect(await found('url=OTHER.example/x')).toEqual(ids.slice(1));
    expect(await found('state=disabled')).toEqual([]);
    const { body } = await call('GET', '?label=region:eu&limit=1');
    expect(new URL(body.next, 'http://x').searchParams.get('label')).toBe('region:eu');
  });

  test('of all tenants is the operator’s; a cursor of it, or of another tenant, is refused', async () => {
    const other = await api.createTenant(`other-${tenants}`);
    const mine = await made();
    await made();
    await api.call('POST', '/v1/webhooks', { url: 'https://hooks.example/o' }, { key: other.key });
    const all = await api.call('GET', '/v1/webhooks?limit=1000');
    const seen = new Set(all.body.data.map((each: { tenant_id: string }) => each.tenant_id));
    expect([...seen]).toEqual(expect.arrayContaining([tenantId, other.tenantId]));
    const page = await call('GET', '?limit=1');
    expect(page.body.data[0].webhook_id).toBe(mine);
    const foreign = await api.call('GET', page.body.next, undefined, { key: other.key });
    expect(foreign.body.errors).toMatchObject([{ pointer: '?cursor' }]);
    expect(codeOf(await call('GET', `?tenant_id=${other.tenantId}`))).toEqual([404, 'tenant_not_found']);
  });

  test.each(['state=deleted', 'label=region', 'event_type=Order', 'url=', 'cursor=x', 'limit=0', 'nope=1'])(
    'is not asked for by %s',
    async (query) => {
      expect((await call('GET', `?${query}`)).status).toBe(400);
    },
  );
});

test('another tenant’s webhook is a 404 on every path, like one that never was', async () => {
  const { key: otherKey } = await api.createTenant(`stranger-${tenants}`);
  const id = await made();
  const never = 'ep_00000000000070008000000000000000';
  for (const [method, path, body] of [
    ['GET', '', undefined],
    ['PATCH', '', { description: 'x' }],
    ['PUT', '', { url: 'https://hooks.example/b' }],
    ['DELETE', '', undefined],
    ['POST', '/pause', { mode: 'hold' }],
    ['POST', '/resume', undefined],
    ['POST', '/secret/rotate', undefined],
    ['DELETE', '/secret/previous', undefined],
    ['POST', '/test', undefined],
    ['GET', '/stats', undefined],
  ] as const) {
    const ask = (webhook: string) =>
      api.call(method, `/v1/webhooks/${webhook}${path}`, body, {
        key: otherKey,
        headers: { 'if-match': '*' },
      });
    const [foreign, absent] = [await ask(id), await ask(never)];
    expect(codeOf(foreign)).toEqual([404, 'webhook_not_found']);
    expect(foreign.text.replaceAll(id, '').replace(/req_\w+/, '')).toBe(
      absent.text.replaceAll(never, '').replace(/req_\w+/, ''),
    );
  }
  expect((await call('GET', `/${id}`)).status).toBe(200);
});

describe('a portal token that is narrowed by labels', () => {
  const labels = { project: '7' };
  const tokenOf = async (scopes: string[]) =>
    (await api.call('POST', '/v1/portal-tokens', { tenant_id: tenantId, scopes, labels })).body.token;
  const as = (token: string, method: string, path: string, body?: unknown) =>
    api.call(method, `/v1/webhooks${path}`, body, { key: token, headers: { 'if-match': '*' } });

  test('sees the webhooks that carry them, and no others', async () => {
    const mine = await made({ labels: { project: '7', region: 'eu' } });
    const others = [await made(), await made({ labels: { project: '8' } })];
    const token = await tokenOf(['read', 'manage']);
    const listed = await as(token, 'GET', '');
    expect(listed.body.data.map((each: { webhook_id: string }) => each.webhook_id)).toEqual([mine]);
    expect((await as(token, 'GET', `/${mine}`)).status).toBe(200);
    for (const id of others)
      for (const [method, path, body] of [
        ['GET', '', undefined],
        ['PATCH', '', { labels }],
        ['PUT', '', { url: 'https://hooks.example/b', labels }],
        ['DELETE', '', undefined],
        ['POST', '/pause', { mode: 'hold' }],
        ['POST', '/secret/rotate', undefined],
        ['POST', '/test', undefined],
      ] as const)
        expect(codeOf(await as(token, method, `/${id}${path}`, body))).toEqual([404, 'webhook_not_found']);
  });

  test('makes and keeps webhooks within them', async () => {
    const token = await tokenOf(['read', 'manage']);
    const url = 'https://hooks.example/a';
    const outside = await as(token, 'POST', '', { url });
    expect(outside.body.errors).toMatchObject([{ pointer: '/labels' }]);
    const inside = await as(token, 'POST', '', { url, labels: { ...labels, region: 'eu' } });
    expect([inside.status, inside.body.tenant_id]).toEqual([201, tenantId]);
    const path = `/${inside.body.webhook_id}`;
    for (const [method, body] of [
      ['PATCH', { labels: {} }],
      ['PUT', { url }],
    ] as const)
      expect((await as(token, method, path, body)).body.errors).toMatchObject([{ pointer: '/labels' }]);
    expect((await as(token, 'PATCH', path, { description: 'mine' })).status).toBe(200);
    const foreign = await as(token, 'POST', '', { url, labels, tenant_id: 'tenant-1' });
    expect(codeOf(foreign)).toEqual([404, 'tenant_not_found']);
  });

  test('changes nothing with the scope to read alone', async () => {
    const id = await made({ labels });
    const token = await tokenOf(['read']);
    expect((await as(token, 'GET', `/${id}`)).status).toBe(200);
    expect(codeOf(await as(token, 'DELETE', `/${id}`))).toEqual([403, 'forbidden']);
  });
});
