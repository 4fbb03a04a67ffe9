import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { OK, type OnRequest, respond, startRawReceiver } from './raw-receiver.ts';
import { DEADLINE_MS, setupAgent } from './setup-agent.ts';

async function sendTo(onRequest: OnRequest, request = {}) {
  await using receiver = await startRawReceiver({ onRequest });
  await using setup = setupAgent();
  const result = await setup.send(`http://127.0.0.1:${receiver.port}/hook?x=1`, request);
  return { result, receiver, setup };
}

describe('a response', () => {
  test('comes back with its status, headers and body; the request went out as it was given', async () => {
    const body = Buffer.from('{"big":12345678901234567890, "a":"\u00e9"}');
    const { result, receiver } = await sendTo(
      respond('HTTP/1.1 201 Created\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello'),
      {
        headers: ['webhook-id', 'dlv_1', 'content-type', 'application/json'],
        body,
      },
    );
    expect(result).toMatchObject({
      kind: 'response',
      status: 201,
      truncated: false,
      headers: { 'x-a': ['1', '2'] },
    });
    expect(result).toMatchObject({ body: Buffer.from('hello'), timing: { reusedConnection: false } });
    const [head, sent] = receiver.requests[0]!.split('\r\n\r\n');
    expect(head).toBe(
      [
        'POST /hook?x=1 HTTP/1.1',
        `host: 127.0.0.1:${receiver.port}`,
        'connection: keep-alive',
        'webhook-id: dlv_1',
        'content-type: application/json',
        `content-length: ${body.length}`,
      ].join('\r\n'),
    );
    expect(Buffer.from(sent!, 'latin1')).toEqual(body);
  });

  test('may be asked for with headers as an object, PUT, and an empty body', async () => {
    const { result, receiver } = await sendTo(respond(OK), {
      headers: { 'x-b': '2' },
      method: 'PUT',
      body: Buffer.alloc(0),
    });
    expect(result).toMatchObject({ kind: 'response', status: 200 });
    expect(receiver.requests[0]).toMatch(/^PUT .*\r\nx-b: 2\r\ncontent-length: 0\r\n\r\n$/s);
  });

  test.each(['GET', 'OPTIONS'] as const)('may be asked for with %s, which has no body', async (method) => {
    const { result, receiver } = await sendTo(respond(OK), {
      headers: { 'webhook-request-origin': 'example.com' },
      method,
      body: Buffer.alloc(0),
    });
    expect(result).toMatchObject({ kind: 'response', status: 200 });
    const [requestLine, ...headers] = receiver.requests[0]!.trimEnd().split('\r\n');
    expect(requestLine).toBe(`${method} /hook?x=1 HTTP/1.1`);
    expect(headers.slice(1)).toEqual(['connection: keep-alive', 'webhook-request-origin: example.com']);
  });

  test.each([204, 400, 410, 429, 500, 503, 599])('of status %i is a response', async (status) => {
    const { result } = await sendTo(
      respond(`HTTP/1.1 ${status} X\r\ncontent-length: 0\r\nretry-after: 7\r\n\r\n`),
    );
    expect(result).toMatchObject({ kind: 'response', status, retryAfter: '7' });
  });

  test.each([300, 301, 302, 303, 304, 307, 308])('of status %i is never followed', async (status) => {
    const { result, receiver } = await sendTo((socket) => {
      const { localPort } = socket as { localPort?: number };
      socket.write(
        `HTTP/1.1 ${status} X\r\nlocation: http://127.0.0.1:${localPort}/other\r\ncontent-length: 0\r\n\r\n`,
      );
    });
    expect(result).toMatchObject({ kind: 'response', status });
    expect(receiver.requests).toHaveLength(1);
    expect(receiver.connections).toBe(1);
  });

  test('that was compressed stays so: a bomb is only as large as it came', async () => {
    const bomb = gzipSync(Buffer.alloc(10_000_000));
    const head = `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`;
    const { result } = await sendTo((socket) => void socket.write(Buffer.concat([Buffer.from(head), bomb])));
    expect(result).toMatchObject({ kind: 'response', status: 200, body: bomb, truncated: false });
  });

  test('without a length ends where the connection does', async () => {
    const { result } = await sendTo(
      (socket) => void socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nall of it'),
    );
    expect(result).toMatchObject({ kind: 'response', status: 200, body: Buffer.from('all of it') });
  });

  test('in chunks, and one byte at a time, is put together', async () => {
    const text = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n';
    const { result } = await sendTo((socket) => {
      socket.setNoDelay(true);
      for (const character of text) socket.write(character);
    });
    expect(result).toMatchObject({ kind: 'response', body: Buffer.from('abcde') });
  });

  test('of any bytes is kept as they are', async () => {
    const bytes = Buffer.from([0, 0xff, 0xc3, 0x28, 60, 115, 62]);
    const { result } = await sendTo((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nx-odd: \xe9\r\ncontent-length: ${bytes.length}\r\n\r\n`, 'latin1');
      socket.write(bytes);
    });
    expect(result).toMatchObject({ kind: 'response', body: bytes });
  });

  test('after informational ones is the one that counts', async () => {
    const early = 'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n';
    const { result } = await sendTo(respond(early + early + OK));
    expect(result).toMatchObject({ kind: 'response', status: 200, body: Buffer.from('ok') });
  });

  test('keeps at most 64 headers', async () => {
    const headers = Array.from({ length: 1_000 }, (_, index) => `h${index}: 1\r\n`).join('');
    const { result } = await sendTo(respond(`HTTP/1.1 200 OK\r\n${headers}content-length: 0\r\n\r\n`));
    expect(result.kind === 'response' && Object.keys(result.headers)).toHaveLength(64);
  });

  test('cannot name a header that means something to an object', async () => {
    const { result } = await sendTo(
      respond('HTTP/1.1 200 OK\r\n__proto__: x\r\nconstructor: y\r\ncontent-length: 0\r\n\r\n'),
    );
    expect(result.kind === 'response' && Object.getPrototypeOf(result.headers)).toBeNull();
  });
});

describe('a body beyond the limit', () => {
  test('is cut at the limit, the status kept, the connection closed', async () => {
    await using receiver = await startRawReceiver({
      onRequest: (socket) => {
        socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
        const chunk = `4000\r\n${'x'.repeat(16_384)}\r\n`;
        const pump = (): void => {
          while (!socket.destroyed && socket.write(chunk));
        };
        socket.on('drain', pump);
        pump();
      },
    });
    await using setup = setupAgent();
    const result = await setup.send(`http://127.0.0.1:${receiver.port}/`);
    expect(result).toMatchObject({ kind: 'response', status: 200, truncated: true });
    expect(result.kind === 'response' && result.body).toHaveLength(65_536);
    await receiver.closed(1);
    expect(setup.agent.stats().openConnections).toBe(0);
  });

  test.each([
    [10, false],
    [9, true],
    [0, true],
  ])('of 10 bytes with a limit of %i: cut is %s', async (maxResponseBytes, truncated) => {
    const { result } = await sendTo(respond('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789'), {
      maxResponseBytes,
    });
    const body = Buffer.from('0123456789'.slice(0, maxResponseBytes));
    expect(result).toMatchObject({ kind: 'response', status: 200, truncated, body });
  });
});

describe('the deadline ends', () => {
  const trickle =
    (text: string, every: string): OnRequest =>
    (socket) => {
      socket.write(text);
      const timer = setInterval(() => socket.write(every), 5);
      socket.on('close', () => clearInterval(timer));
    };
  test.each<[string, OnRequest, number | undefined]>([
    ['a receiver that never answers', () => {}, undefined],
    ['a status line in drops', trickle('HTTP/1.1 200 OK\r\nx: ', 'y'), undefined],
    ['informational responses without end', trickle('', 'HTTP/1.1 102 Processing\r\n\r\n'), undefined],
    ['a body in drops', trickle('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n', 'z'), 200],
    [
      'a chunked body in drops',
      trickle('HTTP/1.1 500 X\r\ntransfer-encoding: chunked\r\n\r\n', '1\r\nz\r\n'),
      500,
    ],
  ])('%s', async (_, onRequest, status) => {
    await using receiver = await startRawReceiver({ onRequest });
    await using setup = setupAgent();
    const result = await setup.send(`http://127.0.0.1:${receiver.port}/`, { deadlineMs: DEADLINE_MS });
    expect(result).toMatchObject({ kind: 'failure', failure: 'timeout', sentAnyBytes: true });
    expect(result.kind === 'failure' && result.status).toBe(status);
    expect(result.timing.totalMs).toBeGreaterThan(DEADLINE_MS - 5);
    expect(result.timing.totalMs).toBeLessThan(DEADLINE_MS + 10_000);
    await receiver.closed(1);
    expect(setup.agent.stats()).toMatchObject({ openConnections: 0, requestsInFlight: 0 });
  });

  test('a receiver that never reads the request', async () => {
    await using receiver = await startRawReceiver({ onConnection: (socket) => void socket.pause() });
    await using setup = setupAgent();
    const request = { deadlineMs: DEADLINE_MS, body: Buffer.alloc(8_000_000) };
    expect(await setup.send(`http://127.0.0.1:${receiver.port}/`, request)).toMatchObject({
      kind: 'failure',
      failure: 'timeout',
      sentAnyBytes: true,
    });
    expect(setup.agent.stats()).toMatchObject({ openConnections: 0, requestsInFlight: 0 });
  });
});
