import { expect, test } from 'vitest';
import { decodeBody } from './decode-body.ts';

test.each([
  ['UTF-8', Buffer.from('größer'), 'application/json', 'größer'],
  ['UTF-8 where no type is told', Buffer.from('größer'), null, 'größer'],
  ['the charset of the type', Buffer.from('größer', 'latin1'), 'text/html; charset="ISO-8859-1"', 'größer'],
  ['UTF-8 where the charset is none that is known', Buffer.from('ok'), 'text/plain; charset=klingon', 'ok'],
  [
    'what is left when the cut fell into a character',
    Buffer.from('größer').subarray(0, 3),
    'text/plain',
    'gr',
  ],
  ['text with its byte order mark', Buffer.from('\ufeffa'), 'text/plain', '\ufeffa'],
  ['nothing', Buffer.alloc(0), 'text/plain', ''],
])('a body is shown as text: %s', (_what, bytes, contentType, text) => {
  expect(decodeBody(bytes, contentType)).toEqual({ body: text, body_encoding: 'text' });
});

test.each([
  ['is not UTF-8', Buffer.from([0x67, 0xff, 0x67])],
  ['holds a NUL', Buffer.from('a\0b')],
  ['is compressed', Buffer.from('1f8b0800000000000003', 'hex')],
])('a body that %s is shown in base64', (_what, bytes) => {
  expect(decodeBody(bytes, 'application/json')).toEqual({
    body: bytes.toString('base64'),
    body_encoding: 'base64',
  });
});
