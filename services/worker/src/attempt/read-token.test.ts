import type { SendResult } from '@posthorn/egress';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeTiming, NOW } from '../../test/factories.ts';
import { DEFAULT_LIFETIME_MS, MAX_LIFETIME_MS, MAX_TOKEN_CHARS, readTokenReply } from './read-token.ts';

const answered = (body: unknown, over: object = {}): SendResult => ({
  kind: 'response',
  status: 200,
  headers: {},
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  truncated: false,
  timing: makeTiming(3),
  ...over,
});
/** Of any code units. `fc.string({ unit: 'binary' })` takes seconds to be made. */
const anyText = fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units));
const read = (body: unknown, over: object = {}) => readTokenReply(answered(body, over), NOW);

describe('the answer of a token endpoint', () => {
  test('is a token with its lifetime', () => {
    expect(read({ access_token: '00D!AQ.x', token_type: 'bearer', expires_in: 3600, more: 1 })).toEqual({
      kind: 'granted',
      authorization: 'Bearer 00D!AQ.x',
      lifetimeMs: 3_600_000,
    });
  });

  test.each<[unknown, number]>([
    [3_600, 3_600_000],
    ['60', 60_000],
    [0, 0],
    [undefined, DEFAULT_LIFETIME_MS],
    [null, DEFAULT_LIFETIME_MS],
    [-1, DEFAULT_LIFETIME_MS],
    ['soon', DEFAULT_LIFETIME_MS],
    [{}, DEFAULT_LIFETIME_MS],
    [1e300, MAX_LIFETIME_MS],
    ['9999999999', MAX_LIFETIME_MS],
  ])('that says %j of its lifetime is kept for %i ms', (expires_in, lifetimeMs) => {
    expect(read({ access_token: 'a', expires_in })).toMatchObject({ kind: 'granted', lifetimeMs });
  });

  test.each<[string, unknown]>([
    ['ends the header', { access_token: 'a\r\nx-evil: 1' }],
    ['ends the line', { access_token: 'a\nb' }],
    ['has a space', { access_token: 'a b' }],
    ['is empty', { access_token: '' }],
    ['is not ASCII', { access_token: 'tökén' }],
    ['has a NUL', { access_token: 'a\u0000' }],
    ['is too long', { access_token: 'a'.repeat(MAX_TOKEN_CHARS + 1) }],
    ['is no text', { access_token: ['a'] }],
    ['is not there', {}],
    ['is of the prototype', '{"__proto__":{"access_token":"a"}}'],
    ['is of a type we cannot use', { access_token: 'a', token_type: 'mac' }],
    ['has a type that is no text', { access_token: 'a', token_type: 7 }],
  ])('is refused where the token %s', (_what, body) => {
    expect(read(body)).toMatchObject({ kind: 'malformed' });
  });

  test.each([
    '',
    'access_token=a',
    '[]',
    'null',
    '"a"',
    '[{"access_token":"a"}]',
    '\u0000',
    '{"access_token":',
  ])('is refused where it is no JSON object: %j', (body) =>
    expect(read(body)).toEqual({
      kind: 'malformed',
      detail: 'the answer is no JSON object',
      retryAfterMs: null,
    }),
  );

  test('is refused where it is longer than what is read, though what was read is whole', () => {
    expect(read({ access_token: 'a' }, { truncated: true })).toMatchObject({ kind: 'malformed' });
  });

  test.each([
    [401, { error: 'invalid_client', error_description: 'secret hunter2' }, 'HTTP 401 (invalid_client)'],
    [400, { error: 'hunter2' }, 'HTTP 400'],
    [302, '', 'HTTP 302'],
    [503, '<html>hunter2', 'HTTP 503'],
  ])('with the status %i is told without what its server wrote', (status, body, detail) => {
    expect(read(body, { status })).toEqual({ kind: 'refused', detail, retryAfterMs: null });
  });

  test('may ask for time', () => {
    expect(read('', { status: 503, retryAfter: '7' })).toMatchObject({ retryAfterMs: 7_000 });
  });

  test('that did not come is told as of a receiver', () => {
    const failure: SendResult = {
      kind: 'failure',
      failure: 'blocked',
      detail: 'connection refused',
      operatorDetail: '10.0.0.1 is private',
      sentAnyBytes: false,
      timing: makeTiming(3),
    };
    expect(readTokenReply(failure, NOW)).toEqual({
      kind: 'unreachable',
      detail: 'connection refused',
      retryAfterMs: null,
    });
  });

  test('never makes anything but one line of visible ASCII', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.oneof(anyText, fc.string()), (json, token) => {
        for (const body of [json, { access_token: token }, token]) {
          const reply = read(body);
          if (reply.kind === 'granted') expect(reply.authorization).toMatch(/^Bearer [!-~]+$/);
        }
      }),
    );
  });
});
