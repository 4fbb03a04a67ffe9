import type { OutboundRequest, SendResult } from '@posthorn/egress';
import { expect, test } from 'vitest';
import { type Candidate, createHandshakes } from './handshake.ts';

const TIMING = {
  dnsMs: null,
  connectMs: 1,
  tlsMs: null,
  firstByteMs: 1,
  totalMs: 2,
  reusedConnection: false,
};

function setup(answer: (request: OutboundRequest) => SendResult | Promise<SendResult>) {
  const asked: OutboundRequest[] = [];
  const handshakes = createHandshakes({
    agent: {
      send: async (request) => {
        asked.push(request);
        return answer(request);
      },
    },
    origin: 'hooks.example.com',
    makeChallenge: () => 'the-challenge',
    maxUnderWay: 3,
    maxUnderWayOfTenant: 2,
  });
  return { asked, handshakes };
}

const candidate = (tenantId = 'customer-1'): Candidate => ({
  endpointId: 'ep_1',
  tenantId,
  url: 'https://receiver.example/in?x=1',
  headers: [['authorization', 'Bearer theirs']],
  sign: (body) => ['webhook-signature', `of ${body.length} bytes`],
  tls: undefined,
});

const responds = (
  status: number,
  { body = '', headers = {} }: { body?: string; headers?: Record<string, string> } = {},
): SendResult => ({
  kind: 'response',
  status,
  headers,
  body: Buffer.from(body),
  truncated: false,
  timing: TIMING,
});

test('a challenge is signed, carries what every request to the receiver does, and is met by its echo', async () => {
  const { asked, handshakes } = setup(({ body }) =>
    responds(200, { body: JSON.parse(String(body)).challenge }),
  );
  expect(await handshakes.perform(candidate(), 'challenge')).toEqual({ kind: 'agreed', maxPerSec: null });
  expect(asked).toMatchObject([
    { method: 'POST', target: { origin: 'https://receiver.example', path: '/in?x=1' } },
  ]);
  const [{ body, headers } = { body: '', headers: [] }] = asked;
  expect(JSON.parse(String(body))).toEqual({
    type: 'webhook.verification',
    webhook_id: 'ep_1',
    challenge: 'the-challenge',
  });
  expect(headers).toEqual(
    expect.arrayContaining([
      'webhook-signature',
      `of ${body.length} bytes`,
      'authorization',
      'Bearer theirs',
    ]),
  );
});

test('any other answer declines it, in words that the tenant may read', async () => {
  const outcomes: [SendResult, string][] = [
    [responds(200, { body: 'OK' }), 'the body of its answer does not have the challenge'],
    [responds(404, { body: 'the-challenge' }), 'it answered 404'],
    [responds(302, { body: 'the-challenge' }), 'it answered 302'],
    [
      {
        kind: 'failure',
        failure: 'blocked',
        detail: 'connection refused',
        operatorDetail: '10.0.0.1 is private',
        sentAnyBytes: false,
        timing: TIMING,
      },
      'connection refused',
    ],
  ];
  for (const [result, detail] of outcomes) {
    const { handshakes } = setup(() => result);
    expect(await handshakes.perform(candidate(), 'challenge')).toEqual({ kind: 'declined', detail });
  }
});

test('CloudEvents are asked for with OPTIONS; the receiver may limit the rate', async () => {
  const { asked, handshakes } = setup(() =>
    responds(200, {
      headers: { 'webhook-allowed-origin': 'hooks.example.com', 'webhook-allowed-rate': '300' },
    }),
  );
  expect(await handshakes.perform(candidate(), 'cloudevents')).toEqual({ kind: 'agreed', maxPerSec: 5 });
  expect(asked).toMatchObject([{ method: 'OPTIONS', body: Buffer.alloc(0) }]);
  expect(asked[0]!.headers).toEqual(
    expect.arrayContaining(['webhook-request-origin', 'hooks.example.com', 'authorization']),
  );
  const { handshakes: refusing } = setup(() => responds(200, { headers: { allow: 'OPTIONS' } }));
  expect(await refusing.perform(candidate(), 'cloudevents')).toMatchObject({ kind: 'declined' });
});

test('few are under way at once, fewer of one tenant, and each gives its place back', async () => {
  const open: ((result: SendResult) => void)[] = [];
  const { handshakes } = setup(() => new Promise((resolve) => open.push(resolve)));
  const first = [
    handshakes.perform(candidate('a'), 'challenge'),
    handshakes.perform(candidate('a'), 'challenge'),
  ];
  expect(await handshakes.perform(candidate('a'), 'challenge')).toEqual({ kind: 'busy' });
  const other = handshakes.perform(candidate('b'), 'challenge');
  expect(await handshakes.perform(candidate('c'), 'challenge')).toEqual({ kind: 'busy' });
  expect(handshakes.underWay).toBe(3);
  for (const answer of open) answer(responds(200, { body: 'the-challenge' }));
  expect(await Promise.all([...first, other])).toEqual(Array(3).fill({ kind: 'agreed', maxPerSec: null }));
  expect(handshakes.underWay).toBe(0);
});
