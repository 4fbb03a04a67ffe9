import { describe, expect, test } from 'vitest';
import { failureOf } from './failure-of.ts';
import { respond, startRawReceiver } from './raw-receiver.ts';
import { setupAgent } from './setup-agent.ts';

describe('what is no HTTP/1.1 is a protocol failure', () => {
  test.each([
    ['a banner', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['an SMTP greeting', '220 mail ESMTP\r\n'],
    ['HTTP/0.9', '<html>hello</html>\n'],
    ['an unknown version', 'HTTP/9.9 200 OK\r\n\r\n'],
    ['bytes', '\x00\x01\x02\x03\x16\x03\x01'],
    ['status 000', 'HTTP/1.1 000 X\r\ncontent-length: 0\r\n\r\n'],
    ['status 099', 'HTTP/1.1 099 X\r\ncontent-length: 0\r\n\r\n'],
    ['status 600', 'HTTP/1.1 600 X\r\ncontent-length: 0\r\n\r\n'],
    ['status 999', 'HTTP/1.1 999 X\r\ncontent-length: 0\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n'],
    [
      'both a length and chunks',
      'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc'],
    ['a negative length', 'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n'],
    ['a length beyond numbers', 'HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\n'],
    ['a bad chunk size', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n'],
    ['a length with a sign', 'HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok'],
    ['a length in hexadecimal', 'HTTP/1.1 200 OK\r\ncontent-length: 0x2\r\n\r\nok'],
    ['a list of lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok'],
    ['a negative chunk size', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n'],
    [
      'a chunk size beyond numbers',
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${'f'.repeat(18)}\r\n`,
    ],
    ['a header with a space before its colon', 'HTTP/1.1 200 OK\r\ncontent-length : 0\r\n\r\n'],
    ['a header over two lines', 'HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n'],
    ['a NUL in a header', 'HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n'],
    ['lines that end with LF alone', 'HTTP/1.1 200 OK\ncontent-length: 0\n\n'],
    ['a lone CR', 'HTTP/1.1 200 OK\r\nx: a\rb: c\r\ncontent-length: 0\r\n\r\n'],
    ['a frame of HTTP/2', '\0\0\x04\x12\x04\0\0\0\0\0\0\0'],
    ['a header with a space in its name', 'HTTP/1.1 200 OK\r\nx y: 1\r\n\r\n'],
    [
      'a switch to another protocol',
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n',
    ],
    ['a 100 that nobody asked for', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ])('%s', async (_, text) => {
    expect(await failureOf(respond(text))).toMatchObject({
      kind: 'failure',
      failure: 'protocol',
      sentAnyBytes: true,
    });
  });
});

test('3,000 headers that fit are few in what is kept', async () => {
  const headers = Array.from({ length: 3_000 }, () => 'a:1\r\n').join('');
  await using receiver = await startRawReceiver({
    onRequest: respond(`HTTP/1.1 200 OK\r\n${headers}content-length: 0\r\n\r\n`),
  });
  await using setup = setupAgent();
  const result = await setup.send(`http://127.0.0.1:${receiver.port}/`);
  expect(result).toMatchObject({ kind: 'response', headers: { a: Array(64).fill('1') } });
});

test.each([
  ['one header of 20 KB', `x: ${'y'.repeat(20_000)}\r\n`],
  ['3,000 headers', Array.from({ length: 3_000 }, (_, index) => `header-${index}: 1\r\n`).join('')],
])('%s is too large a response', async (_, headers) => {
  const result = await failureOf(respond(`HTTP/1.1 200 OK\r\n${headers}content-length: 0\r\n\r\n`));
  expect(result).toMatchObject({ kind: 'failure', failure: 'response_too_large' });
});
