import { expect, test } from 'vitest';
import { isSensitiveHeader, requestHeaders } from './request-headers.ts';

test("a request says what it is, and the endpoint's own headers follow", () => {
  const headers = requestHeaders({
    signature: {
      'webhook-id': 'delivery',
      'webhook-timestamp': '1700000000',
      'webhook-signature': 'v1,abc',
      'x-webhook-signature': 'sha256=abc',
    },
    eventId: 'event',
    eventType: 'order.created',
    run: 1,
    attempt: 2,
    contentType: 'application/json',
    userAgent: 'Posthorn/test',
    headers: [['x-region', 'eu']],
  });
  expect(headers.length % 2).toBe(0);
  expect(
    Object.fromEntries(headers.map((name, i) => [name, headers[i + 1]]).filter((_, i) => i % 2 === 0)),
  ).toEqual({
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

test('at a system endpoint it says whose event it is', () => {
  const facts = {
    signature: {
      'webhook-id': 'delivery',
      'webhook-timestamp': '1700000000',
      'webhook-signature': 'v1,abc',
      'x-webhook-signature': 'sha256=abc',
    },
    eventId: 'event',
    eventType: 'order.created',
    run: 0,
    attempt: 1,
    contentType: 'application/json',
    userAgent: 'Posthorn/test',
    headers: [],
  };
  expect(requestHeaders({ ...facts, sourceTenantId: 'acme' })).toEqual([
    ...requestHeaders(facts),
    'x-webhook-tenant-id',
    'acme',
  ]);
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
