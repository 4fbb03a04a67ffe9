import { describe, expect, test } from 'vitest';
import {
  isOurHeader,
  isSensitiveHeader,
  type RequestFacts,
  requestHeaderNames,
  requestHeaders,
} from './request-headers.ts';

const WEBHOOK = requestHeaderNames('webhook');

const facts: RequestFacts = {
  signature: { id: 'delivery', timestamp: '1700000000', signature: 'v1,abc', bodySignature: 'sha256=abc' },
  eventId: 'event',
  eventType: 'order.created',
  run: 1,
  attempt: 2,
  contentType: 'application/json',
  userAgent: 'Posthorn/test',
  headers: [],
};

function byName(flat: readonly string[]): Record<string, string | undefined> {
  expect(flat.length % 2).toBe(0);
  return Object.fromEntries(flat.map((name, i) => [name, flat[i + 1]]).filter((_, i) => i % 2 === 0));
}

test("a request says what it is, and the endpoint's own headers follow", () => {
  expect(byName(requestHeaders(WEBHOOK, { ...facts, headers: [['x-region', 'eu']] }))).toEqual({
    'webhook-id': 'delivery',
    'webhook-timestamp': '1700000000',
    'webhook-signature': 'v1,abc',
    'x-webhook-signature': 'sha256=abc',
    'x-webhook-event-id': 'event',
    'x-webhook-event-type': 'order.created',
    'x-webhook-run': '1',
    'x-webhook-attempt': '2',
    'content-type': 'application/json',
    'user-agent': 'Posthorn/test',
    'x-region': 'eu',
  });
});

test('where no secret signs there is no plain signature', () => {
  const signature = { ...facts.signature, bodySignature: null };
  expect(requestHeaders(WEBHOOK, { ...facts, signature })).not.toContain('x-webhook-signature');
});

test('at a system endpoint it says whose event it is', () => {
  expect(requestHeaders(WEBHOOK, { ...facts, sourceTenantId: 'acme' })).toEqual([
    ...requestHeaders(WEBHOOK, facts),
    'x-webhook-tenant-id',
    'acme',
  ]);
});

describe('under a prefix of the operator', () => {
  test('every name of ours begins with it', () => {
    const names = requestHeaderNames('acme-hooks');
    const sent = Object.keys(byName(requestHeaders(names, { ...facts, sourceTenantId: 'acme' })));
    const ours = sent.filter((name) => isOurHeader('acme-hooks', name));
    expect(ours).toHaveLength(sent.length - ['content-type', 'user-agent'].length);
    expect(sent).toContain('acme-hooks-signature');
    expect(sent).toContain('x-acme-hooks-signature');
  });

  test.each([
    ['acme-id', true],
    ['x-acme-whatever', true],
    ['acme', false],
    ['x-acmecorp-id', false],
    ['webhook-id', false],
  ])('%s is reserved: %s', (name, reserved) => {
    expect(isOurHeader('acme', name)).toBe(reserved);
  });
});

test.each([
  'authorization',
  'proxy-authorization',
  'www-authenticate',
  'set-cookie',
  'x-auth-token',
  'x-api-key',
  'x-apikey',
  'x-amz-security-token',
  'webhook-signature',
  'x-session-id',
])('the value of %s is kept from the record', (name) => {
  expect(isSensitiveHeader(name)).toBe(true);
});

test.each(['content-type', 'retry-after', 'x-request-id', 'server', 'location', 'x-author', 'date'])(
  'the value of %s is not',
  (name) => {
    expect(isSensitiveHeader(name)).toBe(false);
  },
);
