import type { SendResult } from '@posthorn/egress';
import { createLogger } from '@posthorn/runtime';
import { createFakeClock } from '@posthorn/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { makeTiming, NOW } from '../../test/factories.ts';
import type { TokenGrant } from './token-grant.ts';
import { createTokens, type Token, type TokenAnswer } from './tokens.ts';

const grantOf = (key: string): TokenGrant => ({
  key,
  request: { target: { origin: `https://${key}.example` } } as TokenGrant['request'],
  endpointId: `ep_${key}`,
  tenantId: 'acme',
});
const grant = grantOf('a');

const granted = (token: string, expires_in: unknown = 100): SendResult => ({
  kind: 'response',
  status: 200,
  headers: {},
  body: Buffer.from(JSON.stringify({ access_token: token, expires_in })),
  truncated: false,
  timing: makeTiming(3),
});
const answering = (status: number, retryAfter?: string): SendResult =>
  ({
    ...granted('-'),
    status,
    body: Buffer.from('hunter2'),
    ...(retryAfter ? { retryAfter } : {}),
  }) as SendResult;

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => vi.useRealTimers());

/** A server of tokens that answers what it is given to, else tokens that count up. */
function setup({ maxTokens = 10 } = {}) {
  const clock = createFakeClock(NOW);
  const replies: (SendResult | Promise<SendResult>)[] = [];
  const lines: string[] = [];
  const outcomes: string[] = [];
  let asked = 0;
  const tokens = createTokens({
    ask: async () => {
      asked++;
      return replies.shift() ?? granted(`t${asked}`);
    },
    clock,
    log: createLogger('worker', 'info', { write: (line: string) => void lines.push(line) }),
    maxTokens,
    onAsked: (outcome) => void outcomes.push(outcome),
  });
  const get = async (of = grant): Promise<string> => shown(await tokens.get(of, 5_000));
  return { tokens, clock, replies, lines, outcomes, get, asked: () => asked };
}

const shown = (answer: TokenAnswer): string => (answer.ok ? answer.token.authorization : answer.detail);
async function tokenOf(tokens: ReturnType<typeof setup>['tokens'], of = grant): Promise<Token> {
  const answer = await tokens.get(of, 5_000);
  if (!answer.ok) throw new Error(answer.detail);
  return answer.token;
}

describe('a token', () => {
  test('is asked for once, however many need it at once', async () => {
    const { get, asked, outcomes } = setup();
    const all = await Promise.all(Array.from({ length: 50 }, () => get()));
    expect([new Set(all), asked(), outcomes]).toEqual([new Set(['Bearer t1']), 1, ['granted']]);
  });

  test('is kept until shortly before it expires, and the next one is asked for meanwhile', async () => {
    const { get, asked, clock } = setup();
    await get();
    clock.advance(79_999);
    expect([await get(), asked()]).toEqual(['Bearer t1', 1]);
    clock.advance(1);
    expect([await get(), asked()]).toEqual(['Bearer t1', 2]);
    await vi.waitFor(async () => expect(await get()).toBe('Bearer t2'));
    expect(asked()).toBe(2);
  });

  test('that has expired is not used any more', async () => {
    const { get, clock } = setup();
    await get();
    clock.advance(100_000);
    expect(await get()).toBe('Bearer t2');
  });

  test('is not asked for more often than once a second, whatever its server says of its lifetime', async () => {
    const { get, asked, clock, replies } = setup();
    replies.push(granted('a', 0), granted('b', 0));
    expect(await get()).toBe('Bearer a');
    clock.advance(999);
    expect([await get(), asked()]).toEqual(['Bearer a', 1]);
    clock.advance(1);
    expect([await get(), asked()]).toEqual(['Bearer b', 2]);
  });

  test('of each endpoint is its own', async () => {
    const { get } = setup();
    expect([await get(grantOf('a')), await get(grantOf('b')), await get(grantOf('a'))]).toEqual([
      'Bearer t1',
      'Bearer t2',
      'Bearer t1',
    ]);
  });

  test('that was used least recently is forgotten where there are too many', async () => {
    const { get, tokens } = setup({ maxTokens: 2 });
    for (const key of ['a', 'b', 'a', 'c']) await get(grantOf(key));
    expect(tokens.stats()).toEqual({ entries: 2, asking: 0, evicted: 1 });
    expect(await get(grantOf('a'))).toBe('Bearer t1');
    expect(await get(grantOf('b'))).toBe('Bearer t4');
  });
});

describe('a server of tokens that fails', () => {
  test('is asked again after waits that double, not by every attempt', async () => {
    const { get, asked, clock, replies } = setup();
    for (const waitMs of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
      replies.push(answering(500));
      const before = asked();
      expect(await get()).toBe('token endpoint: HTTP 500');
      expect(await get()).toBe('token endpoint: HTTP 500');
      clock.advance(waitMs - 1);
      await get();
      expect(asked()).toBe(before + 1);
      clock.advance(1);
    }
    expect(await get()).toBe('Bearer t9');
    replies.push(answering(500));
    clock.advance(100_000);
    await get();
    clock.advance(1_000);
    expect(await get()).toBe('Bearer t11');
  });

  test('gets the time it asks for, within bounds', async () => {
    const { get, asked, clock, replies } = setup();
    replies.push(answering(429, '30'), answering(429, '3600'));
    await get();
    clock.advance(29_999);
    await get();
    expect(asked()).toBe(1);
    clock.advance(1);
    await get();
    clock.advance(60_000);
    expect([await get(), asked()]).toEqual(['Bearer t3', 3]);
  });

  test('leaves the token in use while that is good', async () => {
    const { get, clock, replies, asked } = setup();
    await get();
    replies.push(answering(500));
    clock.advance(80_000);
    expect(await get()).toBe('Bearer t1');
    await vi.waitFor(() => expect(asked()).toBe(2));
    clock.advance(500);
    expect(await get()).toBe('Bearer t1');
    clock.advance(19_500);
    expect(await get()).toBe('Bearer t3');
  });

  test('is logged without what it wrote, and counted', async () => {
    const { get, lines, outcomes, replies } = setup();
    replies.push(answering(500));
    await get();
    expect(outcomes).toEqual(['refused']);
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'warn', webhook_id: 'ep_a', reason: 'HTTP 500' });
    expect(lines.join()).not.toContain('hunter2');
  });

  test('keeps nobody waiting beyond his deadline, and its answer is there for the next', async () => {
    const { get, tokens, replies } = setup();
    const answer = Promise.withResolvers<SendResult>();
    replies.push(answer.promise);
    const waiting = tokens.get(grant, 50);
    await vi.advanceTimersByTimeAsync(50);
    expect(shown(await waiting)).toBe('token endpoint: no complete response within the deadline');
    const patient = get();
    expect(tokens.stats().asking).toBe(1);
    answer.resolve(granted('late'));
    expect(await patient).toBe('Bearer late');
  });

  test('in a way that nobody foresaw is not asked again at once', async () => {
    const { get, asked, replies, lines } = setup();
    replies.push(Promise.reject(new Error('the agent is closed')));
    expect(await get()).toBe('token endpoint: the request could not be made');
    await get();
    expect(asked()).toBe(1);
    expect(lines[0]).toContain('token request broke off');
  });
});

describe('a token that its receiver refuses', () => {
  test('is replaced once, whoever says so first', async () => {
    const { tokens, asked } = setup();
    const first = await tokenOf(tokens);
    const renewed = await Promise.all(Array.from({ length: 20 }, () => tokens.renew(grant, first, 5_000)));
    expect(new Set(renewed.map((token) => token?.authorization))).toEqual(new Set(['Bearer t2']));
    expect(asked()).toBe(2);
  });

  test('is not replaced by itself', async () => {
    const { tokens, replies } = setup();
    replies.push(granted('same'), granted('same'));
    expect(await tokens.renew(grant, await tokenOf(tokens), 5_000)).toBeNull();
  });

  test('again and again costs its server few requests', async () => {
    const { tokens, asked, clock } = setup();
    for (let i = 0; i < 1_000; i++) {
      await tokens.renew(grant, await tokenOf(tokens), 5_000);
      clock.advance(10);
    }
    // Over ten seconds: at the start, and after waits of 1, 2 and 4 seconds.
    expect(asked()).toBe(5);
  });

  test('is replaced at once where the one before it was taken', async () => {
    const { tokens } = setup();
    for (let i = 1; i <= 5; i++) {
      const another = await tokens.renew(grant, await tokenOf(tokens), 5_000);
      expect(another?.authorization).toBe(`Bearer t${i + 1}`);
      tokens.taken(grant, another!);
    }
  });

  test('is not replaced while its server fails', async () => {
    const { tokens, replies } = setup();
    const first = await tokenOf(tokens);
    replies.push(answering(500));
    expect(await tokens.renew(grant, first, 5_000)).toBeNull();
    expect(shown(await tokens.get(grant, 5_000))).toBe('token endpoint: HTTP 500');
  });
});
