import { generatePrivateKey, verify } from '@posthorn/signing';
import { readAuth } from '@posthorn/tenant-config';
import { createAuthority } from '@posthorn/testkit';
import { expect, test } from 'vitest';
import { makeEndpoint, makeSlot, NOW, SECRET } from '../../test/factories.ts';
import { type AttemptFacts, createRequestBuilder, type RequestOptions } from './build-request.ts';

const facts: AttemptFacts = {
  deliveryId: 'delivery_1',
  nowMs: NOW + 999,
  traceparent: '00-abc',
  mayWrite: () => true,
};

const OPTIONS: RequestOptions = {
  userAgent: 'Posthorn/test',
  headerPrefix: 'webhook',
  attemptTimeoutMs: 15_000,
  maxResponseBytes: 16_384,
  sendTraceparent: false,
};

function build(over: { endpoint?: object; options?: Partial<RequestOptions>; attempt?: number } = {}) {
  const builder = createRequestBuilder({ ...OPTIONS, ...over.options });
  const { slot } = makeSlot({ attempt: over.attempt ?? 1 });
  return { slot, built: builder.build(slot, makeEndpoint(over.endpoint), facts) };
}

function headersOf({ built }: Pick<ReturnType<typeof build>, 'built'>): Record<string, string> {
  if (built.kind !== 'request') throw new Error(built.detail);
  const flat = built.request.headers as readonly string[];
  const headers: Record<string, string> = {};
  for (let i = 0; i < flat.length; i += 2) {
    expect(headers[flat[i]!]).toBeUndefined();
    headers[flat[i]!] = flat[i + 1]!;
  }
  return headers;
}

const AUTHORISED = [
  [{ type: 'bearer', token: 'abc' }, 'authorization', 'Bearer abc'],
  [{ type: 'basic', username: 'us', password: 'pä:ss' }, 'authorization', 'Basic dXM6cMOkOnNz'],
  [{ type: 'api_key', header: 'x-api-key', value: 'abc' }, 'x-api-key', 'abc'],
] as const;

test.each(AUTHORISED)('a request says who sends it: %j', (auth, name, value) => {
  const request = build({ endpoint: { auth } });
  expect(headersOf(request)[name]).toBe(value);
  expect(request.built).toMatchObject({ grant: null });
});

test('a request that needs a token says how it is had, and has no header for it yet', () => {
  const auth = {
    type: 'oauth2_client_credentials',
    token_url: 'https://login.example/token',
    client_id: 'a',
    client_secret: 'b',
  };
  const request = build({ endpoint: { auth } });
  expect(headersOf(request).authorization).toBeUndefined();
  expect(request.built).toMatchObject({
    grant: { request: { target: { origin: 'https://login.example' } } },
  });
  const { built } = build({ endpoint: { auth: { ...auth, token_url: 'nowhere' } } });
  expect(built).toEqual({ kind: 'invalid', detail: 'the token URL is not an http(s) URL' });
});

test('a request with certificates of its own goes out with them, and not at all where they cannot be used', () => {
  const tls = { ca: createAuthority().certificate };
  const [first, second] = [build({ endpoint: { tls } }).built, build({ endpoint: { tls } }).built];
  if (first.kind !== 'request' || second.kind !== 'request') throw new Error('no request');
  expect(first.request.tls?.id).toBe(second.request.tls?.id);
  expect(build({ endpoint: { tls: { ca: 'no PEM' } } }).built).toEqual({
    kind: 'invalid',
    detail: 'the certificates are not usable: ca is not PEM',
  });
});

test('what is secret of a request is known, so that it can be taken out of an answer', () => {
  const { built } = build({
    endpoint: {
      auth: { type: 'bearer', token: 'token-of-the-receiver' },
      headers: [
        ['x-tenant-key', 'key-of-the-tenant'],
        ['accept', 'application/json'],
      ],
    },
  });
  // What is accepted is what answers say of themselves: nobody's secret.
  expect(built).toMatchObject({ secrets: ['token-of-the-receiver', 'key-of-the-tenant'] });
});

test('what only a later release knows of authentication is not left out: no request is made', () => {
  const endpoint = Object.defineProperty({}, 'auth', {
    enumerable: true,
    get: () => readAuth('{"type":"later"}'),
  });
  expect(() => build({ endpoint })).toThrow('of a type that this release does not know');
});

test('a request carries the payload untouched, signed for the delivery and the moment of the attempt', () => {
  const request = build({ attempt: 4 });
  const headers = headersOf(request);
  const { event } = request.slot.work;
  expect(headers).toMatchObject({
    'webhook-id': 'delivery_1',
    'webhook-timestamp': String(NOW / 1_000),
    'x-webhook-event-id': event.eventId,
    'x-webhook-event-type': 'order.created',
    'x-webhook-run': '0',
    'x-webhook-attempt': '4',
    'content-type': 'application/json',
    'user-agent': 'Posthorn/test',
  });
  expect(headers['x-webhook-signature']).toMatch(/^sha256=[0-9a-f]{64}$/);
  expect(headers.traceparent).toBeUndefined();
  expect(request.built).toMatchObject({
    request: {
      method: 'POST',
      deadlineMs: 15_000,
      maxResponseBytes: 16_384,
      target: { origin: 'https://receiver.example', path: '/hooks?a=1' },
    },
  });
  if (request.built.kind !== 'request') return;
  expect(request.built.request.body).toBe(request.slot.work.payload);
  expect(verify(headers, request.built.request.body, [SECRET], { nowSeconds: NOW / 1_000 })).toEqual({
    ok: true,
  });
});

test('each attempt has the id of its delivery and the moment of its own, and is fresh when it arrives', () => {
  const builder = createRequestBuilder(OPTIONS);
  const sent = [NOW, NOW + 7 * 24 * 3_600_000].map((nowMs, i) => {
    const { slot } = makeSlot({ attempt: i + 1 });
    const headers = headersOf({ built: builder.build(slot, makeEndpoint(), { ...facts, nowMs }) });
    const nowSeconds = nowMs / 1_000;
    expect(verify(headers, slot.work.payload, [SECRET], { nowSeconds })).toEqual({ ok: true });
    return [headers['webhook-id'], headers['webhook-timestamp']];
  });
  expect(sent).toEqual([
    ['delivery_1', String(NOW / 1_000)],
    ['delivery_1', String(NOW / 1_000 + 604_800)],
  ]);
});

test('while a secret rotates both sign', () => {
  const older = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
  const request = build({
    endpoint: { secrets: [SECRET, older].map((text) => ({ text, expiresAtMs: null })) },
  });
  for (const secret of [SECRET, older]) {
    const check = verify(headersOf(request), request.slot.work.payload, [secret], {
      nowSeconds: NOW / 1_000,
    });
    expect(check).toEqual({ ok: true });
  }
});

test('a secret that was replaced signs until its grace is over, and not a moment longer', () => {
  const older = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
  const graceEndsMs = NOW + 5_000;
  const endpoint = makeEndpoint({
    secrets: [
      { text: SECRET, expiresAtMs: null },
      { text: older, expiresAtMs: graceEndsMs },
    ],
  });
  const { build: buildAt } = createRequestBuilder(OPTIONS);
  const { slot } = makeSlot();
  const signaturesAt = (nowMs: number): number => {
    const built = buildAt(slot, endpoint, { ...facts, nowMs });
    return headersOf({ built })['webhook-signature']!.split(' ').length;
  };
  expect([NOW, graceEndsMs - 1, graceEndsMs, NOW + 3_600_000].map(signaturesAt)).toEqual([2, 2, 1, 1]);
});

test('an endpoint whose secrets have all expired sends nothing unsigned', () => {
  const { built } = build({ endpoint: { secrets: [{ text: SECRET, expiresAtMs: NOW }] } });
  expect(built).toEqual({ kind: 'invalid', detail: 'the endpoint has no signing secret' });
});

const PRIVATE_KEY =
  'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==';
const PUBLIC_KEY = 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=';

test('with ed25519 asked for, requests carry it beside the HMAC, each with those in their grace', () => {
  const older = generatePrivateKey();
  const request = build({
    endpoint: {
      signatures: ['v1', 'v1a'],
      signingKeys: [
        { text: PRIVATE_KEY, expiresAtMs: null },
        { text: older, expiresAtMs: NOW + 5_000 },
      ],
    },
  });
  const headers = headersOf(request);
  const schemes = headers['webhook-signature']!.split(' ').map((signature) => signature.split(',')[0]);
  expect(schemes).toEqual(['v1', 'v1a', 'v1a']);
  for (const key of [SECRET, PUBLIC_KEY, older]) {
    const check = verify(headers, request.slot.work.payload, [key], { nowSeconds: NOW / 1_000 });
    expect(check).toEqual({ ok: true });
  }
});

test('with ed25519 alone no secret is opened, and nothing is signed by it', () => {
  const endpoint = {
    ...makeEndpoint({ signatures: ['v1a'], signingKeys: [{ text: PRIVATE_KEY, expiresAtMs: null }] }),
    get secrets(): never {
      throw new Error('opened');
    },
  };
  const built = createRequestBuilder(OPTIONS).build(makeSlot().slot, endpoint, facts);
  const headers = headersOf({ built });
  expect(headers['webhook-signature']).toMatch(/^v1a,[^ ]{88}$/);
  expect(headers).not.toHaveProperty('x-webhook-signature');
});

test('an endpoint that asks for ed25519 and has no key sends nothing unsigned', () => {
  expect(build({ endpoint: { signatures: ['v1a'] } }).built).toMatchObject({ kind: 'invalid' });
});

test("under an operator's prefix our headers have it, and none of the endpoint's own does", () => {
  const headers = headersOf(
    build({
      options: { headerPrefix: 'acme' },
      endpoint: {
        headers: [
          ['acme-id', 'forged'],
          ['x-acme-run', 'forged'],
          ['x-region', 'eu'],
        ],
      },
    }),
  );
  expect(headers).toMatchObject({ 'acme-id': 'delivery_1', 'x-acme-run': '0', 'x-region': 'eu' });
  expect(Object.keys(headers).filter((name) => name.includes('webhook'))).toEqual([]);
  expect(JSON.stringify(headers)).not.toContain('forged');
});

test("an endpoint's own method and headers are used", () => {
  const request = build({
    endpoint: {
      method: 'PUT',
      headers: [
        ['authorization', 'Bearer of-the-receiver'],
        ['x-region', 'eu'],
      ],
    },
  });
  expect(request.built).toMatchObject({ request: { method: 'PUT' } });
  expect(headersOf(request)).toMatchObject({
    authorization: 'Bearer of-the-receiver',
    'x-region': 'eu',
    'webhook-id': 'delivery_1',
  });
});

test("an endpoint's own deadline is used", () => {
  expect(build({ endpoint: { attemptTimeoutMs: 2_000 } }).built).toMatchObject({
    request: { deadlineMs: 2_000 },
  });
});

test('receivers see the trace context where the operator wants it', () => {
  expect(headersOf(build({ options: { sendTraceparent: true } })).traceparent).toBe('00-abc');
});

test.each([
  ['a URL that is none', { url: 'not a url' }],
  ['a secret that no receiver could use', { secrets: [{ text: 'whsec_***', expiresAtMs: null }] }],
  ['no secret', { secrets: [] }],
])('no request is made of an endpoint with %s', (_what, endpoint) => {
  const { built } = build({ endpoint });
  expect(built.kind).toBe('invalid');
  expect(JSON.stringify(built)).not.toContain('***');
});

test('secrets and headers are opened once for a configuration', () => {
  let opened = 0;
  const open = <T>(value: T): T => {
    opened += 1;
    return value;
  };
  const endpoint = {
    ...makeEndpoint(),
    get secrets() {
      return open([{ text: SECRET, expiresAtMs: null }]);
    },
    get headers() {
      return open([['x-token', 'of-the-receiver'] as const]);
    },
  };
  const builder = createRequestBuilder(OPTIONS);
  const { slot } = makeSlot();
  builder.build(slot, endpoint, facts);
  opened = 0;
  builder.build(slot, endpoint, facts);
  expect(opened).toBe(0);
});
