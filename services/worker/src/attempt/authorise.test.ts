import type { OutboundRequest, SendResult } from '@posthorn/egress';
import { createFakeClock } from '@posthorn/testkit';
import { expect, test } from 'vitest';
import { makeTiming, NOW } from '../../test/factories.ts';
import { createAuthorisedSend } from './authorise.ts';
import type { Built } from './build-request.ts';
import type { TokenGrant } from './token-grant.ts';
import type { Token, TokenAnswer } from './tokens.ts';

const answered = (status: number): SendResult => ({
  kind: 'response',
  status,
  headers: {},
  body: Buffer.alloc(0),
  truncated: false,
  timing: makeTiming(5),
});
const tokenOf = (text: string): Token => ({ authorization: `Bearer ${text}` });

interface World {
  readonly statuses: number[];
  readonly answer?: TokenAnswer;
  readonly another?: Token | null;
  /** How long each step takes. */
  readonly stepMs?: number;
}

function setup({
  statuses,
  answer = { ok: true, token: tokenOf('one') },
  another = null,
  stepMs = 10,
}: World) {
  const clock = createFakeClock(NOW);
  const sent: (readonly [authorization: unknown, deadlineMs: number])[] = [];
  const said: string[] = [];
  const send = createAuthorisedSend(
    async ({ headers, deadlineMs }) => {
      const flat = headers as readonly string[];
      sent.push([flat[flat.indexOf('authorization') + 1], deadlineMs]);
      clock.advance(stepMs);
      return answered(statuses.shift()!);
    },
    {
      async get() {
        clock.advance(stepMs);
        return answer;
      },
      async renew(_grant, { authorization }, waitMs) {
        said.push(`refused ${authorization} ${waitMs}`);
        clock.advance(stepMs);
        return another;
      },
      taken: (_grant, { authorization }) => void said.push(`taken ${authorization}`),
    },
    clock,
  );
  return { send, sent, said };
}

const grant = { key: 'a' } as TokenGrant;
const request = { headers: ['x-a', '1'], deadlineMs: 1_000 } as unknown as OutboundRequest;
const built: Built = { kind: 'request', request, grant, secrets: [] };

test('a request that needs no token is sent as it is', async () => {
  const { send, sent, said } = setup({ statuses: [401] });
  expect(await send({ kind: 'request', request, grant: null, secrets: [] })).toEqual(answered(401));
  expect([sent.length, said]).toEqual([1, []]);
});

test('nothing is sent of what no request can be made of', async () => {
  const { send, sent } = setup({ statuses: [] });
  expect(await send({ kind: 'invalid', detail: 'no URL' })).toEqual({ kind: 'invalid', detail: 'no URL' });
  expect(sent).toEqual([]);
});

test('a request carries the token, within what getting it left of the deadline', async () => {
  const { send, sent, said } = setup({ statuses: [200] });
  expect(await send(built)).toMatchObject({ status: 200, timing: { firstByteMs: 5, totalMs: 20 } });
  expect(sent).toEqual([['Bearer one', 990]]);
  expect(said).toEqual(['taken Bearer one']);
});

test('a request whose token is refused is made once more with another', async () => {
  const { send, sent, said } = setup({ statuses: [401, 200], another: tokenOf('two') });
  expect(await send(built)).toMatchObject({ status: 200, timing: { totalMs: 40 } });
  expect(sent).toEqual([
    ['Bearer one', 990],
    ['Bearer two', 970],
  ]);
  expect(said).toEqual(['refused Bearer one 980', 'taken Bearer two']);
});

test('a receiver that refuses that too has answered 401, and no more is sent', async () => {
  const { send, sent, said } = setup({ statuses: [401, 401], another: tokenOf('two') });
  expect(await send(built)).toMatchObject({ status: 401 });
  expect([sent.length, said.length]).toEqual([2, 1]);
});

test('where no other token is to be had the answer is the 401', async () => {
  const { send, sent } = setup({ statuses: [401] });
  expect(await send(built)).toMatchObject({ kind: 'response', status: 401, timing: { totalMs: 30 } });
  expect(sent.length).toBe(1);
});

test.each([
  ['the refused request', 500, 0],
  ['getting another token', 340, 1],
])('nothing more is sent once %s has used up the deadline', async (_what, stepMs, renewals) => {
  const { send, sent, said } = setup({ statuses: [401], another: tokenOf('two'), stepMs });
  expect(await send(built)).toMatchObject({ status: 401 });
  expect([sent.length, said.length]).toEqual([1, renewals]);
});

test('without a token nothing is sent, and the attempt says why', async () => {
  const answer = { ok: false, detail: 'token endpoint: HTTP 500' } as const;
  const { send, sent } = setup({ statuses: [], answer });
  expect(await send(built)).toMatchObject({
    kind: 'unauthorised',
    detail: 'token endpoint: HTTP 500',
    timing: { totalMs: 10, connectMs: null },
  });
  expect(sent).toEqual([]);
});
