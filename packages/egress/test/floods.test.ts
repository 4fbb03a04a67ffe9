import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { OK, respond, startRawReceiver } from './raw-receiver.ts';
import { DEADLINE_MS, setupAgent } from './setup-agent.ts';

/** Writes as fast as it is read, and counts. */
function flood(socket: Socket, head: string, piece: string): { readonly bytes: number } {
  const counted = { bytes: 0 };
  socket.write(head);
  const pump = (): void => {
    while (!socket.destroyed) {
      counted.bytes += piece.length;
      if (!socket.write(piece)) return;
    }
  };
  socket.on('drain', pump);
  pump();
  return counted;
}

const CHUNKED = 'HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n';
/** What two kernels and our own writes hold on top of what was read. */
const IN_BETWEEN_BYTES = 16_000_000;

async function answerTo(head: string, piece: string) {
  let flooded = { bytes: 0 };
  await using receiver = await startRawReceiver({
    onRequest: (socket) => {
      flooded = flood(socket, head, piece);
    },
  });
  await using setup = setupAgent();
  // The deadline is not what ends it.
  const result = await setup.send(`http://127.0.0.1:${receiver.port}/`, { deadlineMs: 60_000 });
  await receiver.closed(1);
  expect(flooded.bytes).toBeLessThan(IN_BETWEEN_BYTES);
  expect(setup.agent.stats()).toMatchObject({ openConnections: 0, requestsInFlight: 0 });
  return result;
}

describe('a receiver that never stops', () => {
  test.each([
    ['informational responses', '', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(500)],
    ['early hints', '', `HTTP/1.1 103 Early Hints\r\n${'link: x\r\n'.repeat(500)}\r\n`],
    ['empty lines', '', '\r\n'.repeat(5_000)],
    ['its reason', 'HTTP/1.1 200 ', 'y'.repeat(10_000)],
    ['a header', 'HTTP/1.1 200 OK\r\nx: ', 'y'.repeat(10_000)],
    ['headers', 'HTTP/1.1 200 OK\r\n', 'x: y\r\n'.repeat(2_000)],
  ])('saying %s is given up long before the deadline', async (_what, head, piece) => {
    expect(await answerTo(head, piece)).toMatchObject({ kind: 'failure', failure: 'response_too_large' });
  });

  test.each([
    ['a body', CHUNKED, `2710\r\n${'x'.repeat(10_000)}\r\n`],
    ['a chunk extension', `${CHUNKED}1;`, 'x'.repeat(10_000)],
    ['a body in crumbs with extensions', CHUNKED, `1;${'x'.repeat(1_000)}\r\nz\r\n`.repeat(10)],
  ])('sending %s has its status kept, and no more read', async (_what, head, piece) => {
    const result = await answerTo(head, piece);
    expect(result).toMatchObject({ kind: 'response', status: 201, truncated: true });
    expect(result.kind === 'response' && result.body.length).toBeLessThanOrEqual(65_536);
  });

  test('its trailers is given up, its status known', async () => {
    const result = await answerTo(`${CHUNKED}0\r\n`, 'x: y\r\n'.repeat(2_000));
    expect(result).toMatchObject({ kind: 'failure', failure: 'response_too_large', status: 201 });
  });
});

test('a whole body in chunks of one byte is none of these', async () => {
  const crumbs = '1\r\nz\r\n'.repeat(20_000);
  await using receiver = await startRawReceiver({ onRequest: respond(`${CHUNKED}${crumbs}0\r\n\r\n`) });
  await using setup = setupAgent();
  const result = await setup.send(`http://127.0.0.1:${receiver.port}/`);
  expect(result).toMatchObject({ kind: 'response', status: 201, truncated: false });
  expect(result.kind === 'response' && result.body).toHaveLength(20_000);
});

test('what one response was long is not held against the next one on its connection', async () => {
  const long = `HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n${'x'.repeat(60_000)}`;
  await using receiver = await startRawReceiver({ onRequest: respond(long) });
  await using setup = setupAgent();
  for (let n = 0; n < 40; n++) {
    const result = await setup.send(`http://127.0.0.1:${receiver.port}/`);
    expect(result).toMatchObject({ kind: 'response', truncated: false });
  }
  expect(receiver.connections).toBe(1);
});

test('neighbours get their answers while every way to be slow or loud is tried', async () => {
  const ways = [() => {}, (socket: Socket) => void flood(socket, '', 'HTTP/1.1 102 P\r\n\r\n'.repeat(500))];
  await using setup = setupAgent();
  await using good = await startRawReceiver({ onRequest: respond(OK) });
  await using bad = await startRawReceiver({ onRequest: (socket, _, n) => ways[n % ways.length]!(socket) });
  const slow = Array.from({ length: 20 }, () =>
    setup.send(`http://127.0.0.1:${bad.port}/`, { deadlineMs: DEADLINE_MS }),
  );
  for (let n = 0; n < 100; n++) {
    expect(await setup.send(`http://127.0.0.1:${good.port}/`)).toMatchObject({ status: 200 });
  }
  for (const result of await Promise.all(slow)) expect(result).toMatchObject({ kind: 'failure' });
  expect(setup.agent.stats()).toMatchObject({ openConnections: 1, requestsInFlight: 0 });
});
