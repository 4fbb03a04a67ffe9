import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACME_KEY, type Bundle, OPERATOR_KEY, setup } from '../../test/setup.ts';

let bundle: Bundle;
beforeAll(async () => {
  // An app of its own: it is listened to and closed here.
  bundle = await setup({});
});
afterAll(() => bundle.app.close());

const EVENT = { tenant_id: 'acme', type: 'order.created', payload: 1 };

describe('over a socket', () => {
  let port: number;
  beforeAll(async () => {
    await bundle.app.listen({ host: '127.0.0.1', port: 0 });
    port = (bundle.app.server.address() as AddressInfo).port;
  });

  function exchange(request: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(request));
      let answer = '';
      socket.on('data', (chunk) => {
        answer += chunk.toString();
      });
      socket.on('close', () => resolve(answer));
      socket.on('error', reject);
    });
  }
  const head = `POST /events HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer ${ACME_KEY}\r\n`;

  it.each([
    ['garbage', 'hello\r\n\r\n', 'malformed_request'],
    [
      'length and chunks at once',
      `${head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      'malformed_request',
    ],
    ['two lengths', `${head}content-length: 5\r\ncontent-length: 6\r\n\r\nhello`, 'malformed_request'],
    ['a negative length', `${head}content-length: -1\r\n\r\n`, 'malformed_request'],
    [
      'a bad chunk',
      `${head}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n`,
      'malformed_request',
    ],
    [
      'two transfer codings, the first of which another may go by',
      `${head}content-type: application/json\r\ntransfer-encoding: identity\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      'malformed_request',
    ],
    [
      'a transfer coding beside chunked',
      `${head}content-type: application/json\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      'malformed_request',
    ],
    [
      'chunks of HTTP/1.0, which has none',
      `${head.replace('1.1', '1.0')}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      'malformed_request',
    ],
    ['no host', 'GET /health HTTP/1.1\r\nconnection: close\r\n\r\n', undefined],
    [
      'two hosts',
      'GET /health HTTP/1.1\r\nhost: a\r\nHost: a\r\nconnection: close\r\n\r\n',
      'malformed_request',
    ],
    [
      'two keys',
      `${head}Authorization: Bearer ${ACME_KEY}\r\ncontent-length: 0\r\n\r\n`,
      'malformed_request',
    ],
    ['a NUL in a header', `${head}x-a: \u0000\r\n\r\n`, 'malformed_request'],
    ['an odd expectation', `${head}expect: 200-ok\r\ncontent-length: 0\r\n\r\n`, 'malformed_request'],
    ['headers without end', `${head}x-a: ${'a'.repeat(40_000)}\r\n\r\n`, 'headers_too_large'],
  ])('%s is answered 4xx', async (_name, request, code) => {
    const answer = await exchange(request);
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    if (code) expect(answer).toContain(`"code":"${code}"`);
  });
});

describe('when too much is under way', () => {
  it('requests are turned away with 503 before their bodies are read', async () => {
    const small = await setup({ maxRequests: 0 });
    const { status, headers, body } = await small.post('/events', EVENT);
    expect([status, body.code, headers['retry-after']]).toEqual([503, 'overloaded', '1']);
    expect((await small.get('/health')).status).toBe(200);
  });

  it('bodies count by their length, and a place is free again after the answer', async () => {
    const small = await setup({ maxRequests: 1, maxBytes: 200 });
    small.addTenant('acme');
    for (let i = 0; i < 3; i++) expect((await small.post('/events', EVENT)).status).toBe(202);
    const large = { ...EVENT, payload: 'x'.repeat(300) };
    expect((await small.post('/events', large)).body.code).toBe('overloaded');
  });

  it('a tenant’s slow senders leave room for others', async () => {
    const small = await setup({ maxRequests: 4 });
    small.addTenant('acme');
    await small.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = small.app.server.address() as AddressInfo;
    const clients = [1, 2].map(() => connect(port, '127.0.0.1'));
    for (const client of clients) {
      const taken = once(small.app.server, 'request');
      client.write(`POST /events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${ACME_KEY}\r\n`);
      client.write('content-type: application/json\r\ncontent-length: 500\r\n\r\n{');
      await taken;
    }
    expect((await small.post('/events', EVENT, ACME_KEY)).body.code).toBe('overloaded');
    expect((await small.post('/events', EVENT, OPERATOR_KEY)).status).toBe(202);
    for (const client of clients) client.destroy();
    await small.app.close();
  });

  it('a client that goes away frees its place', async () => {
    const small = await setup({ maxRequests: 1 });
    small.addTenant('acme');
    await small.app.listen({ host: '127.0.0.1', port: 0 });
    const { server } = small.app;
    const taken = once(server, 'request');
    const connected = once(server, 'connection');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.write(`POST /events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${ACME_KEY}\r\n`);
    client.write('content-type: application/json\r\ncontent-length: 500\r\n\r\n{');
    await taken;
    expect((await small.post('/events', EVENT)).body.code).toBe('overloaded');
    const [socket] = await connected;
    await Promise.all([once(socket, 'close'), client.destroy()]);
    expect((await small.post('/events', EVENT)).status).toBe(202);
    await small.app.close();
  });

  it('no limit of the server is left open', () => {
    const { server } = bundle.app;
    expect(server.requestTimeout).toBe(15_000);
    expect(server.headersTimeout).toBe(10_000);
    expect(server.keepAliveTimeout).toBe(72_000);
    expect(server.timeout).toBe(60_000);
    expect(server.maxConnections).toBe(10);
  });
});
