import { type AddressInfo, connect } from 'node:net';
import type { InjectOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACME_KEY, type Bundle, OPERATOR_KEY, setup } from '../../test/setup.ts';
import { parseOrigins } from './allow-origins.ts';
import { ANSWER_HEADERS } from './answer-headers.ts';
import { type App, createApp } from './app.ts';

let bundle: Bundle;
beforeAll(async () => {
  bundle = await setup({});
  bundle.addTenant('acme');
});
afterAll(() => bundle.app.close());

const PORTAL = 'https://portal.example';
const EVENT = JSON.stringify({ tenant_id: 'acme', type: 'order.created', payload: 1 });
const AS_TENANT = { authorization: `Bearer ${ACME_KEY}`, 'content-type': 'application/json' };

type Asked = [string, number, InjectOptions];
const ANSWERS: Asked[] = [
  ['an event', 202, { method: 'POST', url: '/v1/events', headers: AS_TENANT, payload: EVENT }],
  ['a list', 200, { method: 'GET', url: '/v1/webhooks', headers: AS_TENANT }],
  ['health', 200, { method: 'GET', url: '/health' }],
  ['the document', 200, { method: 'GET', url: '/openapi.json' }],
  ['no key', 401, { method: 'GET', url: '/v1/webhooks' }],
  ['a wrong body', 400, { method: 'POST', url: '/v1/events', headers: AS_TENANT, payload: '{' }],
  ['no such path', 404, { method: 'GET', url: '/nope' }],
  ['a method that is not taken', 405, { method: 'DELETE', url: '/v1/events' }],
  ['a path that is none', 400, { method: 'GET', url: '/%' }],
];

describe('every answer', () => {
  it.each(ANSWERS)(
    'to %s (%i) is for its caller alone, and of no other type',
    async (_name, status, asked) => {
      const { statusCode, headers } = await bundle.app.inject(asked);
      expect(statusCode).toBe(status);
      expect(headers).toMatchObject(ANSWER_HEADERS);
    },
  );

  it.each(ANSWERS)(
    'to %s (%i) has an id of ours, whatever the caller calls it',
    async (_name, status, asked) => {
      const named = { ...asked, headers: { ...asked.headers, 'x-request-id': 'forged\tid' } };
      const { headers, body } = await bundle.app.inject(named);
      const id = headers['x-request-id'];
      expect(id).toMatch(/^req_[a-z0-9]+$/);
      // An accepted event is told of by its own id.
      if (status !== 202) expect(bundle.logged.some((line) => line.request_id === id)).toBe(true);
      expect(JSON.stringify(bundle.logged)).not.toContain('forged');
      if (headers['content-type'] === 'application/problem+json')
        expect(JSON.parse(body).request_id).toBe(id);
    },
  );

  it('that is a page runs and loads nothing from elsewhere, and is framed nowhere', async () => {
    for (const url of ['/docs', '/docs/open.js', '/docs/swagger-ui.css']) {
      const policy = String((await bundle.app.inject(url)).headers['content-security-policy']);
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self';");
      expect(policy).toContain("frame-ancestors 'none'");
    }
  });
});

describe('a page of another origin', () => {
  const asks = (app: App, origin: string, method = 'GET', url = '/v1/webhooks') =>
    app.inject({ method: method as 'GET', url, headers: { ...AS_TENANT, origin } });
  const preflight = (app: App, origin: string) =>
    app.inject({
      method: 'OPTIONS',
      url: '/v1/events',
      headers: { origin, 'access-control-request-method': 'POST' },
    });
  const corsOf = (headers: object) =>
    Object.keys(headers).filter((name) => name.startsWith('access-control-'));

  it('is told nothing that would let it read an answer or send a key', async () => {
    expect(corsOf((await asks(bundle.app, PORTAL)).headers)).toEqual([]);
    expect(corsOf((await asks(bundle.app, 'null')).headers)).toEqual([]);
    const refused = await preflight(bundle.app, PORTAL);
    expect([refused.statusCode, corsOf(refused.headers)]).toEqual([405, []]);
  });

  it('may call the API where the operator allows its origin, and no other may', async () => {
    const app = createApp({ ...bundle.parts, allowedOrigins: [PORTAL] });
    const allowed = await preflight(app, PORTAL);
    expect([allowed.statusCode, allowed.headers['access-control-allow-origin']]).toEqual([204, PORTAL]);
    expect(allowed.headers['access-control-allow-headers']).toContain('authorization');
    const { headers } = await asks(app, PORTAL);
    expect(headers).toMatchObject({ 'access-control-allow-origin': PORTAL, vary: 'origin' });
    expect(headers['access-control-allow-credentials']).toBeUndefined();
    for (const other of [
      'https://portal.example.evil',
      'http://portal.example',
      `${PORTAL}:8443`,
      'null',
      '*',
    ]) {
      expect(corsOf((await asks(app, other)).headers), other).toEqual([]);
      expect((await preflight(app, other)).statusCode, other).toBe(405);
    }
    await app.close();
  });

  it.each(['*', 'null', 'portal.example', 'https://portal.example/', 'https://*.example', 'file:///a'])(
    'is not allowed as %s',
    (origin) => expect(() => parseOrigins(origin)).toThrow(origin),
  );
});

describe('over a socket', () => {
  async function listening(app: App): Promise<number> {
    await app.listen({ host: '127.0.0.1', port: 0 });
    return (app.server.address() as AddressInfo).port;
  }

  function answerTo(port: number, request: string): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(request));
      let answer = '';
      socket.on('data', (chunk) => {
        answer += chunk.toString();
      });
      socket.on('close', () => resolve(answer));
      // A server that closes before it has read all resets the connection, after its answer.
      socket.on('error', () => {});
    });
  }

  it.each([
    ['what is no HTTP', 'hello\r\n\r\n'],
    ['too long headers', `GET /health HTTP/1.1\r\nhost: a\r\nx-a: ${'a'.repeat(40_000)}\r\n\r\n`],
    ['an odd expectation', 'GET /health HTTP/1.1\r\nhost: a\r\nexpect: 200-ok\r\n\r\n'],
  ])('the answer to %s has them too', async (_name, request) => {
    const app = createApp(bundle.parts);
    const answer = await answerTo(await listening(app), request);
    for (const [name, value] of Object.entries(ANSWER_HEADERS)) expect(answer).toContain(`${name}: ${value}`);
    await app.close();
  });

  it.each([
    ['headers', 'POST /v1/events HTTP/1.1\r\nhost: a\r\nx-a: '],
    [
      'body',
      `POST /v1/events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${OPERATOR_KEY}\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{`,
    ],
  ])('a request whose %s never end is 408, and its connection is closed', async (_name, request) => {
    const app = createApp({ ...bundle.parts, arrival: { headersMs: 100, requestMs: 100, checkMs: 20 } });
    const answer = await answerTo(await listening(app), request);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('"code":"request_timeout"');
    await app.close();
  });
});

it('metrics are on the admin port alone', async () => {
  for (const url of ['/metrics', '/v1/metrics']) expect((await bundle.app.inject(url)).statusCode).toBe(404);
});
