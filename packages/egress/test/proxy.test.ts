import { createAuthority, startFaultProxy, startForwardProxy } from '@posthorn/testkit';
import { describe, expect, test } from 'vitest';
import { parseProxyUrl } from '../src/index.ts';
import { OK, type OnRequest, respond, startRawReceiver } from './raw-receiver.ts';
import { type AgentSetup, DEADLINE_MS, setupAgent } from './setup-agent.ts';

const credentials = { username: 'posthorn', password: 'p@ss:w\u00f6rd' };
const authority = createAuthority();
const { certificate: cert, key } = authority.issue({
  name: 'tests',
  names: ['hooks.example', 'localhost'],
  addresses: ['127.0.0.1'],
});
const lookup = async () => [{ address: '127.0.0.1', ttlSeconds: 60 }];
const REFUSED_WORDS = { detail: 'connection refused', sentAnyBytes: false };
const REFUSED = { failure: 'connect', ...REFUSED_WORDS };

function setupBehind(proxyUrl: string, options: AgentSetup & { readonly resolvesNames?: boolean } = {}) {
  const { resolvesNames = false, ...others } = options;
  const proxy = parseProxyUrl(proxyUrl, { resolvesNames });
  return setupAgent({ lookup, extraAuthorities: [authority.certificate], ...others, proxy });
}

describe.each(['http', 'socks5'] as const)('through a proxy that speaks %s', (kind) => {
  const urlOf = (port: number, login = '') => `${kind}://${login}127.0.0.1:${port}`;

  test('a request arrives as it would without; the proxy is told an address, never a name', async () => {
    await using proxy = await startForwardProxy({ kind });
    await using receiver = await startRawReceiver({ onRequest: respond(OK) });
    await using setup = setupBehind(urlOf(proxy.port));
    const url = `http://hooks.example:${receiver.port}/hook`;
    expect(await setup.send(url)).toMatchObject({ status: 200, body: Buffer.from('ok') });
    expect(proxy.asked).toEqual([`127.0.0.1:${receiver.port}`]);
    expect(receiver.requests[0]).toContain(`host: hooks.example:${receiver.port}\r\n`);
    expect(receiver.requests[0]).not.toMatch(/proxy/i);
  });

  test('a tunnel is used again, and is one of its receiver alone', async () => {
    await using proxy = await startForwardProxy({ kind });
    await using receiver = await startRawReceiver({ onRequest: respond(OK) });
    await using setup = setupBehind(urlOf(proxy.port));
    for (const host of ['a.example', 'b.example', 'a.example', 'b.example']) {
      await setup.send(`http://${host}:${receiver.port}/`);
    }
    expect(proxy.connections).toBe(2);
    expect(receiver.connections).toBe(2);
  });

  test('TLS is spoken with the receiver, whose certificate is checked as ever', async () => {
    await using proxy = await startForwardProxy({ kind });
    await using receiver = await startRawReceiver({ tls: { cert, key }, onRequest: respond(OK) });
    await using setup = setupBehind(urlOf(proxy.port));
    expect(await setup.send(`https://hooks.example:${receiver.port}/`)).toMatchObject({
      status: 200,
      timing: { dnsMs: expect.any(Number), connectMs: expect.any(Number), tlsMs: expect.any(Number) },
    });
    expect(await setup.send(`https://other.example:${receiver.port}/`)).toMatchObject({
      failure: 'tls',
      detail: 'the certificate is for another host',
    });
  });

  test('credentials are given, and those that are wrong are a closed port to the tenant', async () => {
    await using proxy = await startForwardProxy({ kind, credentials });
    await using receiver = await startRawReceiver({ onRequest: respond(OK) });
    const url = `http://127.0.0.1:${receiver.port}/`;
    const login = `${credentials.username}:${encodeURIComponent(credentials.password)}@`;
    await using right = setupBehind(urlOf(proxy.port, login));
    await using wrong = setupBehind(urlOf(proxy.port, 'posthorn:wrong@'));
    await using none = setupBehind(urlOf(proxy.port));
    expect(await right.send(url)).toMatchObject({ status: 200 });
    for (const { send } of [wrong, none]) expect(await send(url)).toMatchObject(REFUSED);
    expect(receiver.connections).toBe(1);
  });

  test('a denied address is never asked for', async () => {
    await using proxy = await startForwardProxy({ kind });
    const inner = async () => [{ address: '10.0.0.1', ttlSeconds: 60 }];
    await using setup = setupBehind(urlOf(proxy.port), { lookup: inner });
    for (const host of ['hooks.example', '10.0.0.1', '169.254.169.254', '[::1]']) {
      expect(await setup.send(`http://${host}/`)).toMatchObject({ failure: 'blocked', ...REFUSED_WORDS });
    }
    expect(proxy.connections).toBe(0);
  });

  test('that resolves names, it is told the name; literals and names that are denied are not asked for', async () => {
    await using receiver = await startRawReceiver({ onRequest: respond(OK) });
    const route = () => ({ host: '127.0.0.1', port: receiver.port });
    await using proxy = await startForwardProxy({ kind, route });
    await using setup = setupBehind(urlOf(proxy.port), {
      resolvesNames: true,
      lookup: () => Promise.reject(new Error('asked DNS')),
    });
    expect(await setup.send('http://hooks.example.com/')).toMatchObject({ status: 200 });
    for (const host of ['10.0.0.1', '0x0a000001', '[::ffff:10.0.0.1]', 'metadata.internal']) {
      expect(await setup.send(`http://${host}/`)).toMatchObject({ failure: 'blocked', ...REFUSED_WORDS });
    }
    expect(proxy.asked).toEqual(['hooks.example.com:80']);
  });

  test('a receiver that is not there, a proxy that refuses and one that is away are closed ports to the tenant', async () => {
    await using proxy = await startForwardProxy({ kind });
    await using strict = await startForwardProxy({ kind, refuseWith: kind === 'http' ? 403 : 2 });
    const [receiver, gone] = [await startRawReceiver({}), await startRawReceiver({})];
    await Promise.all([receiver[Symbol.asyncDispose](), gone[Symbol.asyncDispose]()]);
    for (const port of [proxy.port, strict.port, gone.port]) {
      await using setup = setupBehind(urlOf(port));
      const result = await setup.send(`http://127.0.0.1:${receiver.port}/`);
      expect(result).toMatchObject(REFUSED);
      expect(result).toMatchObject({ atProxy: true, operatorDetail: expect.stringContaining('proxy') });
      expect(setup.agent.stats()).toMatchObject({ openConnections: 0, requestsInFlight: 0 });
    }
  });

  test('the address that refuses leads to the next of its name', async () => {
    await using proxy = await startForwardProxy({ kind });
    await using receiver = await startRawReceiver({ onRequest: respond(OK) });
    const two = async () => ['127.0.0.9', '127.0.0.1'].map((address) => ({ address, ttlSeconds: 60 }));
    await using setup = setupBehind(urlOf(proxy.port), { lookup: two });
    expect(await setup.send(`http://two.example.com:${receiver.port}/`)).toMatchObject({ status: 200 });
    expect(proxy.asked).toEqual([`127.0.0.9:${receiver.port}`, `127.0.0.1:${receiver.port}`]);
  });

  test('IPv6 is told as it is', async () => {
    await using receiver = await startRawReceiver({ onRequest: respond(OK) });
    const route = () => ({ host: '127.0.0.1', port: receiver.port });
    await using proxy = await startForwardProxy({ kind, route });
    await using setup = setupBehind(urlOf(proxy.port), { allowedCidrs: ['2001:db8::/32'] });
    expect(await setup.send('http://[2001:db8::ff:1]:8080/')).toMatchObject({ status: 200 });
    expect(proxy.asked[0]).toMatch(/^(2001:db8::ff:1|2001:0db8:0000:0000:0000:0000:00ff:0001):8080$/);
  });
});

describe('a proxy', () => {
  test('may be spoken to over TLS; TLS with the receiver goes through it', async () => {
    await using proxy = await startForwardProxy({ kind: 'http', tls: { cert, key }, credentials });
    await using receiver = await startRawReceiver({ tls: { cert, key }, onRequest: respond(OK) });
    const login = `${credentials.username}:${encodeURIComponent(credentials.password)}@`;
    await using setup = setupBehind(`https://${login}localhost:${proxy.port}`);
    const url = `https://hooks.example:${receiver.port}/`;
    expect(await setup.send(url)).toMatchObject({ status: 200, timing: { reusedConnection: false } });
    expect(await setup.send(url)).toMatchObject({ status: 200, timing: { reusedConnection: true } });
    expect(proxy.connections).toBe(1);
  });

  test('whose certificate nobody vouches for gets no credentials', async () => {
    await using proxy = await startForwardProxy({ kind: 'http', tls: { cert, key }, credentials });
    await using setup = setupBehind(`https://posthorn:secret@localhost:${proxy.port}`, {
      extraAuthorities: [],
    });
    expect(await setup.send('http://127.0.0.1:80/')).toMatchObject(REFUSED);
    expect(proxy.connections).toBe(0);
  });

  const answering =
    (text: string | Buffer): OnRequest =>
    (socket) =>
      void socket.write(text);
  test.each<[string, OnRequest, string]>([
    ['answers nonsense', answering('SSH-2.0-OpenSSH\r\n\r\n'), 'the proxy answered nonsense'],
    [
      'never ends its headers',
      answering(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(4_000)}`),
      'the proxy answered too much',
    ],
    ['hangs up', (socket) => void socket.end(), 'the proxy hung up'],
    [
      'asks for a log-in',
      answering('HTTP/1.1 407 X\r\nproxy-authenticate: Basic\r\n\r\n'),
      'the proxy answered 407',
    ],
    [
      'switches protocols',
      answering('HTTP/1.1 101 X\r\n\r\nHTTP/1.1 502 X\r\n\r\n'),
      'the proxy answered 502',
    ],
    [
      'redirects',
      answering('HTTP/1.1 302 X\r\nlocation: http://127.0.0.1/\r\n\r\n'),
      'the proxy answered 302',
    ],
  ])('that %s is a closed port to the tenant', async (_what, onRequest, why) => {
    await using proxy = await startRawReceiver({ onRequest });
    await using setup = setupBehind(`http://127.0.0.1:${proxy.port}`);
    expect(await setup.send('http://127.0.0.1:81/')).toMatchObject({
      ...REFUSED,
      operatorDetail: expect.stringContaining(why),
    });
    await proxy.closed(1);
    expect(setup.agent.stats().openConnections).toBe(0);
  });

  test('that never answers ends with the deadline, and its socket with it', async () => {
    await using proxy = await startRawReceiver({});
    for (const scheme of ['http', 'https', 'socks5']) {
      await using setup = setupBehind(`${scheme}://localhost:${proxy.port}`);
      const sent = await setup.send('http://127.0.0.1:81/', { deadlineMs: DEADLINE_MS });
      expect(sent).toMatchObject({
        failure: 'timeout',
        detail: 'the connection timed out',
        sentAnyBytes: false,
      });
      await proxy.closed(proxy.connections);
    }
  });

  test.each([
    ['no way to log in', [5, 0xff]],
    ['a way that nobody offered', [5, 2]],
    ['another version', [4, 0]],
    ['an unknown kind of address', [5, 0, 5, 0, 0, 9, 0, 0, 0, 0, 0, 0]],
  ])('of SOCKS5 that answers %s is a closed port to the tenant', async (_what, bytes) => {
    await using proxy = await startRawReceiver({
      onConnection: (socket) => void socket.write(Buffer.from(bytes)),
    });
    await using setup = setupBehind(`socks5://127.0.0.1:${proxy.port}`);
    expect(await setup.send('http://127.0.0.1:81/')).toMatchObject(REFUSED);
    await proxy.closed(1);
  });

  test('may answer in drops', async () => {
    await using receiver = await startRawReceiver({ onRequest: respond(OK) });
    await using proxy = await startForwardProxy({ kind: 'http' });
    const slow = await startFaultProxy({ targetPort: proxy.port });
    slow.trickle(4_000, 'from-target');
    await using setup = setupBehind(`http://127.0.0.1:${slow.port}`);
    expect(await setup.send(`http://127.0.0.1:${receiver.port}/`)).toMatchObject({ status: 200 });
    await slow.close();
  });
});
