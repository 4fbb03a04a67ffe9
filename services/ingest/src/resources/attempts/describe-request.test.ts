import { deriveDeliveryId, mintEndpointId, mintEventId } from '@posthorn/contracts';
import { parseSecret, type SigningKey, verify } from '@posthorn/signing';
import { describe, expect, test } from 'vitest';
import { type AttemptFacts, describeRequest } from './describe-request.ts';

const STARTED_MS = Date.UTC(2026, 10, 22, 12, 0, 0) + 734;
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const eventId = mintEventId(STARTED_MS - 250);

function keyOf(secret: string): SigningKey {
  const parsed = parseSecret(secret);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.key;
}

const facts = (over: Partial<AttemptFacts> = {}): AttemptFacts => ({
  attemptId: mintEventId(STARTED_MS),
  deliveryId: deriveDeliveryId(eventId, mintEndpointId(STARTED_MS), 0),
  run: 0,
  attempt: 3,
  event: {
    eventId,
    type: 'order.created',
    contentType: 'application/json',
    payload: Buffer.from('{"total": 12345678901234567890, "note": "it\'s"}'),
  },
  made: {
    url: 'https://hooks.example/in?a=1',
    method: 'PUT',
    headerNames: ['authorization', 'x-region'],
    signatures: ['v1'],
    tlsParts: [],
  },
  headerPrefix: 'webhook',
  ...over,
});

describe('the request of an attempt', () => {
  test('is made again from what is known of it, with everything redacted that proves who sent it', () => {
    const given = facts();
    const { curl, ...request } = describeRequest(given);
    expect(request).toEqual({
      method: 'PUT',
      url: 'https://hooks.example/in?a=1',
      headers: {
        'webhook-id': given.deliveryId,
        'webhook-timestamp': String(Math.floor(STARTED_MS / 1_000)),
        'webhook-signature': 'v1,[redacted]',
        'x-webhook-signature': 'sha256=[redacted]',
        'x-webhook-event-id': eventId,
        'x-webhook-event-type': 'order.created',
        'x-webhook-run': '0',
        'x-webhook-attempt': '3',
        'content-type': 'application/json',
        'user-agent': 'Posthorn/0.1.0',
        authorization: '[redacted]',
        'x-region': '[redacted]',
      },
      body: '{"total": 12345678901234567890, "note": "it\'s"}',
      body_encoding: 'text',
    });
    expect(curl).toContain("--header 'authorization: <authorization>'");
    expect(curl).toContain("--header 'webhook-signature: v1,<webhook-signature>'");
    expect(curl).not.toContain('[redacted]');
  });

  test('carries the signature that the receiver got, for who holds the secret', () => {
    const given = facts();
    const { headers } = describeRequest(given, [keyOf(SECRET)]);
    const nowSeconds = Math.floor(STARTED_MS / 1_000);
    expect(verify(headers, given.event.payload, [SECRET], { nowSeconds })).toEqual({ ok: true });
    expect(headers.authorization).toBe('[redacted]');
  });

  test('has the signatures that its webhook asked for at the time, under the names of the installation', () => {
    const given = facts();
    const made = { ...given.made, signatures: ['v1a' as const], headerNames: ['x-acme-own', 'x-region'] };
    const { headers, curl } = describeRequest({ ...given, made, headerPrefix: 'acme' });
    expect(headers).toMatchObject({ 'acme-id': given.deliveryId, 'acme-signature': 'v1a,[redacted]' });
    expect(Object.keys(headers).filter((name) => name.includes('webhook'))).toEqual([]);
    expect(headers).not.toHaveProperty('x-acme-signature');
    expect(headers).not.toHaveProperty('x-acme-own');
    expect(headers).toHaveProperty('x-region');
    const both = { ...made, signatures: ['v1' as const, 'v1a' as const] };
    expect(describeRequest({ ...given, made: both }).headers['webhook-signature']).toBe(
      'v1,[redacted] v1a,[redacted]',
    );
    expect(curl).toContain("--header 'acme-signature: v1a,<acme-signature>'");
  });

  test('shows no password of a URL, and at a system endpoint whose event it is', () => {
    const made = {
      url: 'https://user:pass@hooks.example/',
      method: 'POST',
      headerNames: [],
      signatures: ['v1'],
      tlsParts: [],
    } as const;
    const request = describeRequest(
      facts({ made: { ...made, headerNames: [], signatures: ['v1'], tlsParts: [] }, sourceTenantId: 'acme' }),
    );
    expect(JSON.stringify(request)).not.toContain('pass');
    expect(request.headers).toMatchObject({ 'x-webhook-tenant-id': 'acme' });
  });

  test('names files where the webhook had certificates of its own, in place of what is in them', () => {
    const tlsParts = ['ca', 'client_certificate', 'client_key'];
    const { curl } = describeRequest(facts({ made: { ...facts().made, tlsParts } }));
    expect(curl).toContain(
      "--cacert '<ca.pem>' \\\n  --cert '<client_certificate.pem>' \\\n  --key '<client_key.pem>' \\\n  --header",
    );
  });

  test('has a body of bytes in base64', () => {
    const payload = Buffer.from([0, 255, 1]);
    const event = { eventId, type: 'blob.made', contentType: 'application/octet-stream', payload };
    expect(describeRequest(facts({ event }))).toMatchObject({ body: 'AP8B', body_encoding: 'base64' });
  });
});
