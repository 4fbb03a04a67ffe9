import { readFileSync } from 'node:fs';
import type net from 'node:net';
import type tls from 'node:tls';
import { describe, expect, test } from 'vitest';
import { failureOf } from './failure-of.ts';
import { OK, respond, startRawReceiver } from './raw-receiver.ts';
import { DEADLINE_MS, setupAgent } from './setup-agent.ts';

describe('a connection that ends too early is a failed connection', () => {
  const stages = [
    ['before any of the response', '', undefined],
    ['in the status line', 'HTTP/1.1 20', undefined],
    ['in the headers', 'HTTP/1.1 200 OK\r\ncontent-le', undefined],
    ['after an informational response', 'HTTP/1.1 103 Early Hints\r\n\r\n', undefined],
    ['after the headers', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n', 200],
    ['in the body', 'HTTP/1.1 503 X\r\ncontent-length: 5\r\n\r\nab', 503],
    ['in a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab', 200],
    ['before the last chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n', 200],
    ['in the body, announced', 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nab', 200],
  ] as const;
  for (const [stage, text, status] of stages) {
    test(`by FIN ${stage}`, async () => {
      const result = await failureOf((socket) => void socket.end(text));
      expect(result).toMatchObject({ kind: 'failure', failure: 'connect', sentAnyBytes: true });
      expect(result.kind === 'failure' && result.status).toBe(status);
    });
    test(`by reset ${stage}`, async () => {
      // A reset discards what the kernel still holds, so the client must have read the text before.
      const result = await failureOf((socket) => {
        if (text === '') return void socket.resetAndDestroy();
        socket.write(text, () => setImmediate(() => setImmediate(() => socket.resetAndDestroy())));
      });
      expect(result).toMatchObject({ kind: 'failure', failure: 'connect', sentAnyBytes: true });
    });
  }

  test('on accept', async () => {
    await using receiver = await startRawReceiver({ onConnection: (socket) => socket.resetAndDestroy() });
    await using setup = setupAgent();
    expect(await setup.send(`http://127.0.0.1:${receiver.port}/`)).toMatchObject({
      kind: 'failure',
      failure: 'connect',
    });
  });
});

describe('what a connection had before', () => {
  test('is used again, one request after the other', async () => {
    await using receiver = await startRawReceiver({ onRequest: respond(OK) });
    await using setup = setupAgent();
    for (let n = 0; n < 5; n++) await setup.send(`http://127.0.0.1:${receiver.port}/`);
    expect(receiver.requests).toHaveLength(5);
    expect(receiver.connections).toBe(1);
  });

  test('does not answer the next request: a second response closes the connection', async () => {
    const poison = 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison';
    await using receiver = await startRawReceiver({
      onRequest: (socket, _, n) => void socket.write(n === 1 ? OK + poison : OK),
    });
    await using setup = setupAgent();
    const first = await setup.send(`http://127.0.0.1:${receiver.port}/`);
    const second = await setup.send(`http://127.0.0.1:${receiver.port}/`);
    expect([first, second]).toMatchObject([{ body: Buffer.from('ok') }, { body: Buffer.from('ok') }]);
    expect(receiver.connections).toBe(2);
  });

  test('does not answer the next request: neither does a response that nobody asked for', async () => {
    const poison = 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison';
    let first: net.Socket | undefined;
    await using receiver = await startRawReceiver({
      onRequest: (socket) => {
        first ??= socket;
        socket.write(OK);
      },
    });
    await using setup = setupAgent();
    await setup.send(`http://127.0.0.1:${receiver.port}/`);
    first!.write(poison);
    await receiver.closed(1);
    expect(await setup.send(`http://127.0.0.1:${receiver.port}/`)).toMatchObject({ body: Buffer.from('ok') });
  });

  test.each([
    ['FIN', (socket: net.Socket, then: () => void) => void socket.end(then)],
    [
      'reset',
      (socket: net.Socket, then: () => void) => {
        socket.resetAndDestroy();
        then();
      },
    ],
  ])('ended by %s at the moment of reuse costs no attempt', async (_, end) => {
    let first: net.Socket | undefined;
    await using receiver = await startRawReceiver({
      onRequest: (socket) => {
        first ??= socket;
        socket.write(OK);
      },
    });
    await using setup = setupAgent({ recheckIdleMs: 0 });
    await setup.send(`http://127.0.0.1:${receiver.port}/`);
    const second = await new Promise((resolve) => {
      end(first!, () => resolve(setup.send(`http://127.0.0.1:${receiver.port}/`)));
    });
    expect(second).toMatchObject({ kind: 'response', status: 200, timing: { reusedConnection: false } });
    expect(receiver.requests).toHaveLength(2);
  });

  test('and was written to is not repeated', async () => {
    await using receiver = await startRawReceiver({
      onRequest: (socket, _, n) => void (n === 1 ? socket.write(OK) : socket.resetAndDestroy()),
    });
    await using setup = setupAgent();
    await setup.send(`http://127.0.0.1:${receiver.port}/`);
    const second = await setup.send(`http://127.0.0.1:${receiver.port}/`);
    expect(second).toMatchObject({ kind: 'failure', failure: 'connect', sentAnyBytes: true });
    expect(receiver.requests).toHaveLength(2);
  });
});

describe('no connection', () => {
  test('to a closed port', async () => {
    const receiver = await startRawReceiver({});
    const { port } = receiver;
    await receiver[Symbol.asyncDispose]();
    await using setup = setupAgent();
    expect(await setup.send(`http://127.0.0.1:${port}/`)).toMatchObject({
      kind: 'failure',
      failure: 'connect',
      detail: 'connection refused',
      operatorDetail: 'ECONNREFUSED from 127.0.0.1',
      sentAnyBytes: false,
      timing: { reusedConnection: false },
    });
  });

  test('without the answer of DNS within the deadline', async () => {
    await using setup = setupAgent({ lookup: () => new Promise(() => {}) });
    const result = await setup.send('http://slow.example.com/', { deadlineMs: DEADLINE_MS });
    expect(result).toMatchObject({ kind: 'failure', failure: 'timeout', sentAnyBytes: false });
    expect(result.timing.totalMs).toBeLessThan(DEADLINE_MS + 10_000);
  });

  test.each(['ENOTFOUND', 'ESERVFAIL', 'ETIMEOUT'])('when DNS says %s', async (code) => {
    await using setup = setupAgent({ lookup: () => Promise.reject(Object.assign(new Error(), { code })) });
    expect(await setup.send('http://gone.example.com/')).toMatchObject({
      kind: 'failure',
      failure: 'dns',
      operatorDetail: code,
      sentAnyBytes: false,
    });
  });

  test('to the first address of a name leads to its next', async () => {
    await using receiver = await startRawReceiver({ onRequest: respond(OK) });
    const lookup = async () => ['127.0.0.9', '127.0.0.1'].map((address) => ({ address, ttlSeconds: 60 }));
    await using setup = setupAgent({ lookup });
    expect(await setup.send(`http://two.example.com:${receiver.port}/`)).toMatchObject({ status: 200 });
  });

  test('for a request that cannot be written', async () => {
    await using receiver = await startRawReceiver({ onRequest: respond(OK) });
    await using setup = setupAgent();
    const result = await setup.send(`http://127.0.0.1:${receiver.port}/`, { headers: ['x-a', 'a\r\nb'] });
    expect(result).toMatchObject({ kind: 'failure', failure: 'protocol', sentAnyBytes: false });
    expect(receiver.requests).toEqual([]);
  });
});

describe('TLS', () => {
  const pem = (name: string) => readFileSync(new URL(`certificates/${name}`, import.meta.url), 'utf8');
  const extraAuthorities = [pem('authority.crt')];
  const lookup = async () => [{ address: '127.0.0.1', ttlSeconds: 60 }];
  const receiverTls = { cert: pem('receiver.crt'), key: pem('receiver.key') };
  const outdated = (version: tls.SecureVersion): tls.TlsOptions => ({
    ...receiverTls,
    minVersion: version,
    maxVersion: version,
    ciphers: 'DEFAULT@SECLEVEL=0',
  });

  test('with a trusted certificate for the name or the address delivers', async () => {
    const names: (string | false | null)[] = [];
    await using receiver = await startRawReceiver({
      tls: receiverTls,
      onRequest: respond(OK),
      onConnection: (socket) =>
        names.push((socket as tls.TLSSocket & { servername: string | false }).servername),
    });
    await using setup = setupAgent({ extraAuthorities, lookup });
    expect(await setup.send(`https://hooks.example:${receiver.port}/`)).toMatchObject({ status: 200 });
    expect(await setup.send(`https://hooks.example.:${receiver.port}/`)).toMatchObject({ status: 200 });
    expect(await setup.send(`https://127.0.0.1:${receiver.port}/`)).toMatchObject({ status: 200 });
    expect(names).toEqual(['hooks.example', false]);
  });

  test.each([
    [
      'expired',
      { cert: pem('expired.crt'), key: pem('receiver.key') },
      'hooks.example',
      'the certificate has expired',
    ],
    [
      'self-signed',
      { cert: pem('self-signed.crt'), key: pem('self-signed.key') },
      'hooks.example',
      'the certificate is self-signed',
    ],
    ['for another name', receiverTls, 'other.example', 'the certificate is for another host'],
    ['not there: TLS 1.0', outdated('TLSv1'), 'hooks.example', 'the server speaks no TLS 1.2 or 1.3'],
    ['not there: TLS 1.1', outdated('TLSv1.1'), 'hooks.example', 'the server speaks no TLS 1.2 or 1.3'],
  ])('with a certificate that is %s fails, and says why', async (_, options, host, detail) => {
    await using receiver = await startRawReceiver({ tls: options, onRequest: respond(OK) });
    await using setup = setupAgent({ extraAuthorities, lookup });
    const result = await setup.send(`https://${host}:${receiver.port}/`);
    expect(result).toMatchObject({ kind: 'failure', failure: 'tls', detail, sentAnyBytes: false });
    expect(receiver.requests).toEqual([]);
  });

  test('of an unknown authority fails', async () => {
    await using receiver = await startRawReceiver({ tls: receiverTls, onRequest: respond(OK) });
    await using setup = setupAgent({ lookup });
    expect(await setup.send(`https://hooks.example:${receiver.port}/`)).toMatchObject({ failure: 'tls' });
  });

  test('to a server that speaks plain HTTP, or hangs up, fails', async () => {
    await using plain = await startRawReceiver({ onConnection: (socket) => void socket.write(OK) });
    await using mute = await startRawReceiver({ onConnection: (socket) => void socket.end() });
    await using setup = setupAgent({ lookup });
    expect(await setup.send(`https://hooks.example:${plain.port}/`)).toMatchObject({ failure: 'tls' });
    expect(await setup.send(`https://hooks.example:${mute.port}/`)).toMatchObject({ failure: 'tls' });
  });

  test('that stalls in the handshake ends with the deadline, or sooner with the time to connect', async () => {
    await using receiver = await startRawReceiver({});
    await using setup = setupAgent({ lookup });
    const url = `https://hooks.example:${receiver.port}/`;
    const late = {
      kind: 'failure',
      failure: 'timeout',
      detail: expect.stringContaining('timed out'),
      sentAnyBytes: false,
    };
    expect(await setup.send(url, { deadlineMs: DEADLINE_MS })).toMatchObject(late);
    await using impatient = setupAgent({ lookup, connectTimeoutMs: DEADLINE_MS });
    expect(await impatient.send(url)).toMatchObject(late);
    await Promise.all([receiver.closed(1), receiver.closed(2)]);
  });
});
