import type { FailureClass } from '@posthorn/contracts';
import type { SendFailure } from '@posthorn/egress';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeTiming } from '../../test/factories.ts';
import { type Answered, classify, MAX_RETRY_AFTER_MS, parseRetryAfter } from './classify.ts';

const NOW = Date.UTC(2026, 10, 22, 12, 0, 0);
const timing = makeTiming(5);

const response = (status: number, retryAfter?: string): Answered => ({
  kind: 'response',
  status,
  headers: {},
  body: Buffer.alloc(0),
  truncated: false,
  timing,
  ...(retryAfter === undefined ? {} : { retryAfter }),
});
const failed = (failure: SendFailure, status?: number): Answered => ({
  kind: 'failure',
  failure,
  detail: `it was ${failure}`,
  sentAnyBytes: false,
  timing,
  ...(status === undefined ? {} : { status }),
});

test.each([200, 201, 202, 204, 206, 299])('%i is a success', (status) => {
  expect(classify(response(status), NOW)).toEqual({ kind: 'success', status });
});

test.each<[number, FailureClass]>([
  [101, 'protocol'],
  [300, 'redirect'],
  [301, 'redirect'],
  [307, 'redirect'],
  [399, 'redirect'],
  [400, 'http_4xx'],
  [401, 'http_4xx'],
  [404, 'http_4xx'],
  [410, 'gone'],
  [422, 'http_4xx'],
  [429, 'rate_limited'],
  [499, 'http_4xx'],
  [500, 'http_5xx'],
  [503, 'http_5xx'],
  [599, 'http_5xx'],
  [600, 'protocol'],
  [999, 'protocol'],
])('%i is a failure of class %s', (status, failure) => {
  expect(classify(response(status), NOW)).toEqual({
    kind: 'failure',
    failure,
    status,
    detail: `HTTP ${status}`,
    retryAfterMs: null,
  });
});

test.each<[SendFailure, FailureClass]>([
  ['timeout', 'timeout'],
  ['dns', 'dns'],
  ['connect', 'connect'],
  ['tls', 'tls'],
  ['protocol', 'protocol'],
  ['response_too_large', 'response_too_large'],
])('a send that fails by %s is a failure of class %s', (failure, expected) => {
  expect(classify(failed(failure), NOW)).toMatchObject({
    kind: 'failure',
    failure: expected,
    status: null,
    detail: `it was ${failure}`,
  });
});

test('a blocked address is of the same class as a refused connection', () => {
  expect(classify(failed('blocked'), NOW)).toMatchObject({ failure: 'connect', status: null });
});

test('an endpoint that no request can be made of is a failure of its own class', () => {
  expect(classify({ kind: 'invalid', detail: 'no URL' }, NOW)).toMatchObject({
    failure: 'invalid_endpoint',
    status: null,
    detail: 'no URL',
  });
});

test('a response that broke off after its headers keeps its status', () => {
  expect(classify(failed('timeout', 200), NOW)).toMatchObject({ failure: 'timeout', status: 200 });
});

test.each([429, 503])('%i is asked when to come back', (status) => {
  expect(classify(response(status, '7'), NOW)).toMatchObject({ retryAfterMs: 7_000 });
});

test.each([500, 410, 404])('%i is not asked when to come back', (status) => {
  expect(classify(response(status, '7'), NOW)).toMatchObject({ retryAfterMs: null });
});

test.each<[string | undefined, number | null]>([
  [undefined, null],
  ['0', null],
  ['-1', null],
  ['', null],
  ['1.5', null],
  ['soon', null],
  ['120', 120_000],
  ['1000000000', MAX_RETRY_AFTER_MS],
  ['Sun, 22 Nov 2026 12:00:30 GMT', 30_000],
  ['Sunday, 22-Nov-26 12:00:30 GMT', 30_000],
  ['Sun Nov 22 12:00:30 2026', 30_000],
  ['Tue Dec  1 12:00:00 2026', MAX_RETRY_AFTER_MS],
  ['Sun, 22 Nov 2026 11:00:00 GMT', null],
  ['Sun, 22 Nov 2099 12:00:00 GMT', MAX_RETRY_AFTER_MS],
  ['Sun, 99 Nov 2026 12:00:00 GMT', null],
])('Retry-After %j is a wait of %j ms', (text, waitMs) => {
  expect(parseRetryAfter(text, NOW)).toBe(waitMs);
});

test('no Retry-After makes a wait that is negative or longer than the bound', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const waitMs = parseRetryAfter(text, NOW);
      if (waitMs !== null) expect(waitMs > 0 && waitMs <= MAX_RETRY_AFTER_MS).toBe(true);
    }),
  );
});
