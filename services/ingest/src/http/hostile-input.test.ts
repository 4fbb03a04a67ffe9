// Longer than other files: every route is thrown the same bad bodies, keys and paths, and the tables stand together.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACME_KEY, type Bundle, OPERATOR_KEY, setup } from '../../test/setup.ts';
import { PROBLEMS, type ProblemCode } from './problem.ts';

let bundle: Bundle;
beforeAll(async () => {
  bundle = await setup({});
  bundle.addTenant('acme', { maxEventsPerSec: 1_000_000 });
});
afterAll(() => bundle.app.close());

const AN_EVENT = '01890a5d-ac96-774b-bcce-b302099a8057';
const A_DELIVERY = `${AN_EVENT}_0123456789abcdef`;
const A_WEBHOOK = 'ep_01890a5dac96774bbcceb302099a8057';

type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
/** Every route that takes a body, if only an empty one. */
const BODY_ROUTES: [Method, string][] = [
  ['POST', '/tenants'],
  ['POST', '/tenants/acme/cancel'],
  ['PUT', '/tenants/acme/lanes'],
  ['PATCH', '/quotas/acme'],
  ['POST', '/webhooks'],
  ['PATCH', `/webhooks/${A_WEBHOOK}`],
  ['POST', `/webhooks/${A_WEBHOOK}/secret/rotate`],
  ['DELETE', `/webhooks/${A_WEBHOOK}`],
  ['POST', `/webhooks/${A_WEBHOOK}/pause`],
  ['POST', `/webhooks/${A_WEBHOOK}/resume`],
  ['POST', `/webhooks/${A_WEBHOOK}/cancel`],
  ['POST', `/webhooks/${A_WEBHOOK}/recover`],
  ['POST', `/webhooks/${A_WEBHOOK}/replay-missing`],
  ['POST', '/events'],
  ['POST', `/events/${AN_EVENT}/replay`],
  ['POST', `/events/${AN_EVENT}/cancel`],
  ['POST', '/dlq/retry'],
  ['POST', `/dlq/${A_DELIVERY}/retry`],
  ['DELETE', `/dlq/${A_DELIVERY}`],
  ['POST', `/jobs/${AN_EVENT}/cancel`],
];
/** The same handlers serve both prefixes: one of them is asked without. */
const ASKED: [Method, string][] = [
  ...BODY_ROUTES.map(([method, route]): [Method, string] => [method, `/v1${route}`]),
  ['POST', '/webhooks'],
];
/** Those that say all by their path. */
const NEEDS_NO_BODY = /\/replay$|\/dlq\/.+\/retry$|\/cancel$|\/resume$/;
const GET_ROUTES: [Method, string][] = [
  ['GET', '/tenants/x'],
  ['GET', '/tenants/x/lanes'],
  ['GET', '/quotas/x'],
  ['GET', '/webhooks'],
  ['GET', '/webhooks/x'],
  ['GET', '/events/x'],
  ['GET', '/deliveries'],
  ['GET', '/deliveries/x'],
  ['GET', '/dlq'],
  ['GET', '/jobs'],
  ['GET', '/jobs/x'],
  ['GET', '/set-aside'],
];

interface Refusal {
  readonly status: number;
  readonly contentType: string;
  readonly body: { code: ProblemCode; status: number; errors?: { pointer: string; detail: string }[] };
}

async function send(
  method: string,
  url: string,
  options: { payload?: string | Buffer; headers?: Record<string, string> } = {},
): Promise<Refusal> {
  const response = await bundle.app.inject({
    method: method as 'POST',
    url,
    headers: {
      authorization: `Bearer ${OPERATOR_KEY}`,
      'content-type': 'application/json',
      ...options.headers,
    },
    ...(options.payload === undefined ? {} : { payload: options.payload }),
  });
  return {
    status: response.statusCode,
    contentType: String(response.headers['content-type']),
    body: response.json(),
  };
}

function expectProblem(refusal: Refusal, code?: ProblemCode): void {
  expect(refusal.contentType).toBe('application/problem+json');
  expect(refusal.status).toBeGreaterThanOrEqual(400);
  expect(refusal.status).toBeLessThan(500);
  expect(PROBLEMS).toHaveProperty(refusal.body.code);
  expect(refusal.body.status).toBe(refusal.status);
  if (code) expect(refusal.body.code).toBe(code);
}

const deep = (open: string, close: string) => `${open.repeat(100_000)}1${close.repeat(100_000)}`;
const manyKeys = `{${Array.from({ length: 25_000 }, (_, i) => `"k${i}":0`).join(',')}}`;

/** Bodies that no route takes; `code` where all routes refuse them alike. */
const BODIES: [string, string | Buffer, ProblemCode?][] = [
  ['nothing', ''],
  ['spaces', ' \n ', 'invalid_json'],
  ['null', 'null', 'invalid_request'],
  ['an array', '[]', 'invalid_request'],
  ['an array of requests', '[{"tenant_id":"acme"}]', 'invalid_request'],
  ['a string', '"acme"', 'invalid_request'],
  ['a number', '12', 'invalid_request'],
  ['a huge number', `1${'0'.repeat(10_000)}`, 'invalid_request'],
  ['half an object', '{"tenant_id":', 'invalid_json'],
  ['two objects', '{}{}', 'invalid_json'],
  ['a trailing comma', '{"a":1,}', 'invalid_json'],
  ['single quotes', "{'a':1}", 'invalid_json'],
  ['a comment', '{/* */}', 'invalid_json'],
  ['NaN', '{"a":NaN}', 'invalid_json'],
  ['a NUL', '{"a":"\u0000"}', 'invalid_json'],
  ['a raw newline in a string', '{"a":"\n"}', 'invalid_json'],
  ['a byte order mark', '\ufeff{}', 'invalid_json'],
  ['UTF-16', Buffer.from('{"tenant_id":"acme"}', 'utf16le'), 'invalid_json'],
  ['Latin-1', Buffer.from('{"a":"é"}', 'latin1'), 'invalid_json'],
  ['an overlong slash', Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]), 'invalid_json'],
  ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'invalid_json'],
  ['a cut character', Buffer.from([0x22, 0xe2, 0x82]), 'invalid_json'],
  ['unknown fields', '{"a":1,"b":{"c":[]}}', 'invalid_request'],
  ['__proto__', '{"__proto__":{"tenant_id":"acme"}}', 'invalid_request'],
  ['constructor', '{"constructor":{"prototype":{"admin":true}}}', 'invalid_request'],
  ['toString and hasOwnProperty', '{"toString":1,"hasOwnProperty":2}', 'invalid_request'],
  ['an empty key', '{"":1}', 'invalid_request'],
  ['a lone surrogate as a key', '{"\\ud800":1}', 'invalid_request'],
  ['a very long key', `{"${'k'.repeat(50_000)}":1}`, 'invalid_request'],
  ['arrays inside arrays', `{"tenant_id":${deep('[', ']')}}`],
  ['objects inside objects', deep('{"a":', '}')],
];

describe('a body that no route takes is refused with 4xx', () => {
  it.each(BODIES)('%s', async (_name, payload, code) => {
    for (const [method, route] of ASKED) {
      const refusal = await send(method, route, { payload });
      // An empty body is a fault only where one is needed.
      const mayBeEmpty = method === 'DELETE' || NEEDS_NO_BODY.test(route);
      if (mayBeEmpty && payload === '') expect(refusal.status, route).toBeLessThan(500);
      else expectProblem(refusal, code);
    }
  });

  it('faults in them are listed up to a bound', async () => {
    const { body } = await send('POST', '/events', { payload: manyKeys });
    expect(body.errors).toHaveLength(100);
    const other = await send('POST', '/webhooks', {
      payload: `{${Array.from({ length: 4_000 }, (_, i) => `"k${i}":0`).join(',')}}`,
    });
    expect(other.body.errors?.length).toBeLessThanOrEqual(100);
  });

  it('deep and wide ones take no time to speak of', async () => {
    const startedMs = performance.now();
    await send('POST', '/events', { payload: deep('[', ']') });
    await send('POST', '/events', { payload: manyKeys });
    // A busy machine takes half a second at times; a walk that is quadratic in them takes minutes anywhere.
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });

  it('prototypes stay what they were', () => {
    expect(({} as Record<string, unknown>).tenant_id).toBeUndefined();
    expect(({} as Record<string, unknown>).admin).toBeUndefined();
  });
});

const EVENT = { tenant_id: 'acme', type: 'order.created', payload: 1 };
const WEBHOOK = { tenant_id: 'acme', url: 'https://a.example/' };
const BULK = { tenant_id: 'acme' };
const WRONG_TYPES = [
  null,
  true,
  0,
  -1,
  1e308,
  1.5,
  [],
  [null],
  {},
  { a: 1 },
  '',
  '\u0000',
  '\ud800',
  'x'.repeat(5_000),
];

/** Values that are wrong for a field beyond those of a wrong type. */
const FIELDS: [string, object, string, unknown[]][] = [
  [
    '/events',
    EVENT,
    'tenant_id',
    ['a.b', '../x', 'a\r\nb', 'tenänt', 'ａcme', 'a b', 'x'.repeat(65), '__proto__'],
  ],
  [
    '/events',
    EVENT,
    'type',
    ['order.créated', 'order\r\ncreated', 'Order', '.', 'a..b', 'a.b.c.d.e.f.g.h.i', '*'],
  ],
  [
    '/events',
    EVENT,
    'labels',
    [{ 'a b': 'x' }, { a: 'x\u0000' }, { a: 'x\r\n' }, { a: '\udfff' }, { '': 'x' }, { a: ['x'] }],
  ],
  [
    '/events',
    EVENT,
    'occurred_at',
    [
      '2026-02-30T00:00:00Z',
      '2026-01-01',
      '1969-12-31T23:59:59Z',
      '+010000-01-01T00:00:00Z',
      '2026-01-01T24:00:00Z',
    ],
  ],
  ['/events', EVENT, 'timestamp', [1_700_000_000, 'now', '2026-01-01T00:00:00']],
  ['/webhooks', WEBHOOK, 'tenant_id', ['a.b', '../x', 'x'.repeat(65)]],
  [
    '/webhooks',
    WEBHOOK,
    'url',
    ['ftp://a.example/', 'javascript:alert(1)', 'http://', 'a.example', 'https://user:pw@a.example/'],
  ],
  [
    '/webhooks',
    WEBHOOK,
    'event_types',
    [[''], ['order.*.x'], ['*.created'], ['é'], Array(51).fill('a'), [1]],
  ],
  ['/webhooks', WEBHOOK, 'labels', [{ 'a b': 'x' }, { a: 1 }, { a: 'x\u0000' }]],
  [
    '/webhooks',
    WEBHOOK,
    'secret',
    ['short', 'whsec_!!!', `whsec_${'A'.repeat(20)}`, 'has a newline \n in it'],
  ],
  ['/webhooks', WEBHOOK, 'description', ['x'.repeat(501), 'a\nb', '\udfff']],
  [
    '/webhooks',
    WEBHOOK,
    'retry_schedule',
    [[-1], ['1'], [604_801], [300_000, 304_801], [1e308, 1e308], Array(21).fill(1), [null]],
  ],
  ['/webhooks', WEBHOOK, 'attempt_timeout_ms', [99, 60_001, 1_000.5, '1000']],
  ['/webhooks', WEBHOOK, 'max_concurrency', [0, 10_001, '5']],
  ['/webhooks', WEBHOOK, 'max_per_sec', [0, 10_001, '5']],
  ['/webhooks', WEBHOOK, 'max_retry_seconds', [0, 604_801, '5']],
  [
    '/events',
    EVENT,
    'deliver_at',
    ['2999-01-01T00:00:00Z', 'tomorrow', 1_700_000_000, '2026-02-30T00:00:00Z'],
  ],
  ['/dlq/retry', BULK, 'tenant_id', ['a.b', '../x', 'x'.repeat(65)]],
  ['/dlq/retry', BULK, 'webhook_id', ['ep_x', '*', `${A_WEBHOOK}'--`]],
  ['/dlq/retry', BULK, 'event_type', ['*', 'a..b']],
  ['/dlq/retry', BULK, 'since', ['yesterday', '2026-01-01']],
  ['/dlq/retry', BULK, 'until', ['yesterday', '2026-01-01']],
  ['/dlq/retry', BULK, 'reason', ["x' or 1=1", 'é', 'x'.repeat(65)]],
  ['/dlq/retry', BULK, 'delivery_ids', [['x'], [AN_EVENT], Array(1_001).fill(A_DELIVERY)]],
  ['/dlq/retry', BULK, 'dry_run', ['true', 1]],
  ['/dlq/retry', BULK, 'rate_per_sec', [0, 1_001, 1e9]],
  ['/tenants', { tenant_id: 'new' }, 'tenant_id', ['a.b', '..', 'é', 'e\u0301', 'x'.repeat(65)]],
  ['/tenants', { tenant_id: 'new' }, 'name', ['x'.repeat(201), 'a\u0000', '\ud800']],
  [
    '/tenants',
    { tenant_id: 'new' },
    'quotas',
    [
      { max_events_per_sec: 0 },
      { max_events_per_sec: '5' },
      { max_events_per_sec: 1e300 },
      { max_webhooks: -1 },
      { nope: 1 },
    ],
  ],
  ['/tenants', { tenant_id: 'new' }, 'dlq_policy', ['drop_all', 'REFUSE']],
  ['/tenants', { tenant_id: 'new' }, 'retention_days', [8, '7', 0]],
];
/** What of the wrong types is right for a field. */
const FITTING: Record<string, (value: unknown) => boolean> = {
  labels: (value) => typeof value === 'object' && value !== null && JSON.stringify(value) === '{}',
  quotas: (value) => typeof value === 'object' && value !== null && JSON.stringify(value) === '{}',
  name: (value) => value === '',
  description: (value) => value === '',
  dry_run: (value) => value === true,
  retry_schedule: (value) => Array.isArray(value) && value.length === 0,
};

describe('a wrong value of a field is refused by its pointer', () => {
  it.each(FIELDS)('POST %s %j with a wrong %s', async (route, valid, field, wrong) => {
    for (const value of [...WRONG_TYPES, ...wrong]) {
      if (FITTING[field]?.(value)) continue;
      const refusal = await send('POST', route, { payload: JSON.stringify({ ...valid, [field]: value }) });
      expectProblem(refusal, 'invalid_request');
      const pointers = refusal.body.errors?.map((fault) => fault.pointer) ?? [];
      expect(
        pointers.some((pointer) => pointer.startsWith(`/${field}`)),
        JSON.stringify(value),
      ).toBe(true);
    }
  });

  it('and every missing field with it', async () => {
    const { body } = await send('POST', '/webhooks', { payload: '{"event_types":["!"],"nope":1}' });
    expect(body.errors?.map((fault) => fault.pointer).sort()).toEqual(['/event_types/0', '/nope', '/url']);
  });
});

const IDS = [
  'x',
  '.',
  '%2e%2e',
  '..%2f..%2fetc',
  '%00',
  '%0d%0aset-cookie:a',
  '%ff',
  'é',
  'null',
  '__proto__',
  'a.b',
  '1'.repeat(200),
  'x'.repeat(300),
  '01890a5d-ac96-774b-bcce-b302099a8057.x',
  'ffffffff-ffff-7fff-bfff-ffffffffffff',
  'ffffffff-ffff-7fff-bfff-ffffffffffff_0123456789abcdef',
  'ep_ffffffffffffffffffffffffffffffff',
];

/** The same for the routes that change a webhook or lanes, over one that is there. */
const CHANGES: [Method, string, object, string, unknown[]][] = [
  ['PATCH', '/webhooks/:id', {}, 'url', ['ftp://a.example/', 'http://', null]],
  ['PATCH', '/webhooks/:id', {}, 'event_types', [[''], [], Array(51).fill('a'), null]],
  ['PATCH', '/webhooks/:id', {}, 'retry_schedule', [[-1], 'fast', [604_801], Array(21).fill(1)]],
  ['PATCH', '/webhooks/:id', {}, 'attempt_timeout_ms', [99, 60_001, '1000']],
  ['PATCH', '/webhooks/:id', {}, 'max_concurrency', [0, 10_001, '5']],
  ['PATCH', '/webhooks/:id', {}, 'max_per_sec', [0, 10_001, '5']],
  ['PATCH', '/webhooks/:id', {}, 'max_retry_seconds', [0, 604_801, '5']],
  ['PATCH', '/webhooks/:id', {}, 'enabled', [0, 'true', null]],
  ['PATCH', '/webhooks/:id', {}, 'state', ['active', 'deleted', null]],
  ['PATCH', '/webhooks/:id', {}, 'tenant_id', ['other', null]],
  ['POST', '/webhooks/:id/pause', {}, 'mode', [null, 'Hold', 'stop', '', 1, ['hold']]],
  ['POST', '/webhooks/:id/recover', {}, 'since', [null, 'yesterday', 1_700_000_000]],
  [
    'POST',
    '/webhooks/:id/replay-missing',
    { since: '2026-01-01T00:00:00Z' },
    'until',
    [null, 'now', '2025-01-01T00:00:00Z'],
  ],
  ['PUT', '/tenants/acme/lanes', {}, 'count', [0, -1, 1.5, '2', 16, 1e9, null]],
  [
    'PUT',
    '/tenants/acme/lanes',
    {},
    'lanes',
    [[], [-1], [0], [16], [1, 1], ['1'], [null], Array(1_025).fill(1), null],
  ],
];

describe('a wrong value of a change is refused by its pointer', () => {
  it.each(CHANGES)('%s %s %j with a wrong %s', async (method, route, valid, field, wrong) => {
    const { body: webhook } = await bundle.post('/webhooks', WEBHOOK);
    const url = route.replace(':id', webhook.webhook_id);
    for (const value of wrong) {
      const refusal = await send(method, url, { payload: JSON.stringify({ ...valid, [field]: value }) });
      expectProblem(refusal, 'invalid_request');
      expect(refusal.body.errors?.[0]?.pointer.startsWith(`/${field}`), JSON.stringify(value)).toBe(true);
    }
    bundle.webhooks.clear();
  });
});

describe('an id that cannot be', () => {
  it.each(IDS)('%s is refused with 4xx on every path that takes one', async (id) => {
    for (const prefix of ['/v1', '']) {
      for (const path of [
        `/tenants/${id}`,
        `/webhooks/${id}`,
        `/events/${id}`,
        `/deliveries/${id}`,
        `/quotas/${id}`,
        `/tenants/${id}/lanes`,
        `/jobs/${id}`,
      ])
        expectProblem(await send('GET', prefix + path));
      for (const path of [
        `/events/${id}/cancel`,
        `/tenants/${id}/cancel`,
        `/webhooks/${id}/cancel`,
        `/webhooks/${id}/resume`,
        `/jobs/${id}/cancel`,
      ])
        expectProblem(await send('POST', prefix + path, { payload: '{}' }));
      for (const path of [`/webhooks/${id}`, `/dlq/${id}`])
        expectProblem(await send('DELETE', prefix + path, { payload: '{}' }));
      const since = '{"since":"2026-01-01T00:00:00Z"}';
      expectProblem(await send('POST', `${prefix}/webhooks/${id}/recover`, { payload: since }));
      expectProblem(await send('POST', `${prefix}/webhooks/${id}/replay-missing`, { payload: since }));
      expectProblem(await send('POST', `${prefix}/webhooks/${id}/pause`, { payload: '{"mode":"hold"}' }));
      expectProblem(await send('PATCH', `${prefix}/webhooks/${id}`, { payload: '{"enabled":true}' }));
      expectProblem(await send('PUT', `${prefix}/tenants/${id}/lanes`, { payload: '{"count":1}' }));
      expectProblem(await send('POST', `${prefix}/events/${id}/replay`, { payload: '{}' }));
      expectProblem(await send('POST', `${prefix}/dlq/${id}/retry`, { payload: '{}' }));
      expectProblem(await send('PATCH', `${prefix}/quotas/${id}`, { payload: '{"max_webhooks":1}' }));
    }
  });
});

describe('a query that cannot be', () => {
  it.each([
    'limit=0',
    'limit=-1',
    'limit=1001',
    'limit=1e9',
    'limit=+1',
    'limit=0x10',
    'limit=abc',
    'limit=',
    'limit=1&limit=2',
    'limit=1.5',
    'offset=-1',
    'offset=99999999999999999999',
    'tenant_id=a.b',
    'tenant_id=',
    'tenant_id[]=a',
    'webhook_id=x',
    'event_type=!',
    'nope=1',
    '__proto__=1',
    'constructor=1',
  ])('/dlq?%s is refused by the name of its parameter', async (query) => {
    const refusal = await send('GET', `/dlq?${query}`);
    expectProblem(refusal, 'invalid_request');
    expect(refusal.body.errors?.[0]?.pointer).toMatch(/^\?/);
  });

  it.each(['limit=0', 'limit=501', 'offset=-1', 'before=x', 'nope=1'])(
    '/set-aside?%s is refused by the name of its parameter',
    async (query) => {
      const refusal = await send('GET', `/set-aside?${query}`);
      expectProblem(refusal, 'invalid_request');
      expect(refusal.body.errors?.[0]?.pointer).toMatch(/^\?/);
    },
  );

  it.each(['limit=0', 'limit=1001', 'nope=1'])(
    '/jobs?%s is refused by the name of its parameter',
    async (query) => {
      const refusal = await send('GET', `/jobs?${query}`);
      expectProblem(refusal, 'invalid_request');
      expect(refusal.body.errors?.[0]?.pointer).toMatch(/^\?/);
    },
  );

  it('names the tenant where one is needed', async () => {
    expectProblem(
      await send('POST', '/webhooks', { payload: '{"url":"https://a.example/"}' }),
      'invalid_request',
    );
    expectProblem(await send('GET', '/webhooks?tenant_id=a.b'), 'invalid_request');
  });
});

describe('a request that no route takes', () => {
  it.each([
    '/',
    '/v2/events',
    '/event',
    '/v1',
    '/EVENTS',
    '//events',
    '/v1/v1/events',
    '/.env',
    '/events/a/b',
  ])('GET %s is 404', async (path) => expectProblem(await send('GET', path), 'route_not_found'));

  it.each([
    ['GET', '/events/x/replay', 'POST'],
    ['PUT', '/events', 'GET, HEAD, POST'],
    ['POST', '/webhooks/x', 'DELETE, GET, HEAD, PATCH, PUT'],
    ['GET', '/webhooks/x/pause', 'POST'],
    ['DELETE', '/jobs/x', 'GET, HEAD'],
    ['POST', '/tenants/acme/lanes', 'GET, HEAD, PUT'],
    ['POST', '/set-aside', 'GET, HEAD'],
    ['POST', '/health', 'GET, HEAD'],
    ['GET', '/dlq/x/retry', 'POST'],
    ['DELETE', '/quotas/acme', 'GET, HEAD, PATCH'],
    ['OPTIONS', '/v1/events', 'GET, HEAD, POST'],
  ])('%s %s is 405 and says what the path takes', async (method, url, allow) => {
    const response = await bundle.app.inject({ method: method as 'GET', url });
    expect([response.statusCode, response.json().code]).toEqual([405, 'method_not_allowed']);
    expect(String(response.headers.allow).split(', ').sort().join(', ')).toBe(allow);
  });

  it.each([
    'text/plain',
    'application/xml',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonx',
    'json',
    ';',
    'é',
  ])('a body of type %s is 415', async (type) => {
    for (const [method, route] of BODY_ROUTES) {
      const refusal = await send(method, route, {
        payload: 'a=1',
        headers: { 'content-type': type },
      });
      expectProblem(refusal, 'unsupported_media_type');
    }
  });

  it('a body that is compressed is 415', async () => {
    const { statusCode, body } = await bundle.app.inject({
      method: 'POST',
      url: '/v1/events',
      headers: {
        authorization: `Bearer ${ACME_KEY}`,
        'content-type': 'application/json',
        'content-encoding': 'gzip',
      },
      payload: JSON.stringify(EVENT),
    });
    expect([statusCode, JSON.parse(body).code]).toEqual([415, 'unsupported_media_type']);
  });

  it('a body larger than the route takes is 413', async () => {
    const payload = `{"tenant_id":"${'x'.repeat(500_000)}"}`;
    for (const [method, route] of BODY_ROUTES)
      expectProblem(await send(method, route, { payload }), 'payload_too_large');
  });

  it.each(['/%', '/%zz', '/events/%e0%a4%a', '/%c3%28'])('the path %s is 4xx', async (path) => {
    expectProblem(await send('GET', path));
  });

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Bearer x',
    'Basic YTpi',
    `Bearer ${OPERATOR_KEY}x`,
    `Bearer ${OPERATOR_KEY} ${OPERATOR_KEY}`,
    `Bearer ${'x'.repeat(5_000)}`,
    'Bearer éééééééééééééééééé',
  ])('with the Authorization %j it is 401 on every route, whatever its body', async (authorization) => {
    for (const [method, route] of [...BODY_ROUTES, ...GET_ROUTES]) {
      const response = await bundle.app.inject({
        method,
        url: route,
        headers: { ...(authorization === undefined ? {} : { authorization }) },
        ...(method === 'GET' ? {} : { payload: 'not json' }),
      });
      expect([response.statusCode, response.json().code]).toEqual([401, 'unauthenticated']);
      expect(response.headers['www-authenticate']).toBe('Bearer realm="posthorn"');
    }
  });

  it('a key of a tenant may neither make tenants nor change quotas or lanes, nor see what was set aside', async () => {
    const headers = { authorization: `Bearer ${ACME_KEY}` };
    expectProblem(await send('PUT', '/tenants/acme/lanes', { payload: '{"count":1}', headers }), 'forbidden');
    expectProblem(await send('GET', '/set-aside', { headers }), 'forbidden');
    expectProblem(await send('POST', '/tenants', { payload: '{"tenant_id":"new"}', headers }), 'forbidden');
    expectProblem(
      await send('PATCH', '/quotas/acme', { payload: '{"max_webhooks":9}', headers }),
      'forbidden',
    );
  });

  it('is still JSON with a charset, and in capitals', async () => {
    for (const type of ['application/json; charset=utf-8', 'Application/JSON']) {
      const response = await bundle.app.inject({
        method: 'POST',
        url: '/events',
        headers: { authorization: `Bearer ${ACME_KEY}`, 'content-type': type },
        payload: JSON.stringify(EVENT),
      });
      expect(response.statusCode).toBe(202);
    }
  });
});
