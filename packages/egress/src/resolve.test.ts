import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createAddressPolicy } from './address-policy.ts';
import type { LookupAnswer } from './dns-lookup.ts';
import { createResolver, type ResolverEvent, type ResolverOptions } from './resolve.ts';

type Script = Record<string, readonly (string | [string, number])[] | Error>;

function setup(script: Script, options: Partial<ResolverOptions> = {}) {
  let nowMs = 0;
  const asked: string[] = [];
  const events: ResolverEvent[] = [];
  const resolver = createResolver({
    policy: createAddressPolicy({ allowedCidrs: [] }),
    monotonicMs: () => nowMs,
    onEvent: (event) => events.push(event),
    lookup: async (hostname) => {
      asked.push(hostname);
      const answer = script[hostname] ?? Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
      if (answer instanceof Error) throw answer;
      return answer.map((one): LookupAnswer => {
        const [address, ttlSeconds] = typeof one === 'string' ? [one, 60] : one;
        return { address, ttlSeconds };
      });
    },
    ...options,
  });
  return { resolver, asked, events, script, advance: (ms: number) => (nowMs += ms) };
}

const failing = (code: string) => Object.assign(new Error(code), { code });

describe('a name', () => {
  test('gives all of its addresses, of both families', async () => {
    const { resolver, events } = setup({ 'a.example': ['8.8.8.8', '2606:4700::1'] });
    expect(await resolver.resolve('a.example', 443)).toEqual({
      ok: true,
      addresses: ['8.8.8.8', '2606:4700::1'],
    });
    expect(events).toMatchObject([{ kind: 'lookup', result: 'ok' }]);
  });

  test.each([
    '127.0.0.1',
    '10.0.0.1',
    '169.254.169.254',
    '::1',
    'fd00:ec2::254',
    '::ffff:10.0.0.1',
    'nonsense',
  ])(
    'is refused for one bad address (%s) among good ones, and the tenant reads nothing of it',
    async (bad) => {
      const { resolver } = setup({ 'a.example': ['8.8.8.8', bad, '1.1.1.1'] });
      const resolution = await resolver.resolve('a.example', 443);
      expect(resolution).toMatchObject({ ok: false, failure: 'blocked', detail: 'connection refused' });
      expect(resolution).toMatchObject({ operatorDetail: expect.stringContaining(bad) });
    },
  );

  test.each([
    ['ENOTFOUND', 'the host name does not exist'],
    ['ENODATA', 'the host name has no address'],
    ['ESERVFAIL', 'the DNS lookup failed'],
    ['ETIMEOUT', 'the DNS lookup timed out'],
  ])('that gives %s is a DNS failure', async (code, detail) => {
    const { resolver } = setup({ 'a.example': failing(code) });
    expect(await resolver.resolve('a.example', 443)).toEqual({
      ok: false,
      failure: 'dns',
      detail,
      operatorDetail: code,
    });
  });

  test('without addresses, or whose lookup breaks, is a DNS failure too', async () => {
    const { resolver } = setup({ 'empty.example': [], 'broken.example': new Error('no code') });
    expect(await resolver.resolve('empty.example', 443)).toMatchObject({
      failure: 'dns',
      operatorDetail: 'ENODATA',
    });
    expect(await resolver.resolve('broken.example', 443)).toMatchObject({
      failure: 'dns',
      operatorDetail: 'EUNKNOWN',
    });
    const throwing = setup(
      {},
      {
        lookup: () => {
          throw failing('EBADNAME');
        },
      },
    ).resolver;
    expect(await throwing.resolve('x.example', 443)).toMatchObject({
      failure: 'dns',
      operatorDetail: 'EBADNAME',
    });
  });

  test('with many addresses is judged by all of them, and few are kept; with too many it is not called', async () => {
    const many = (count: number) => Array.from({ length: count }, (_, n) => `8.8.${n >> 8}.${n & 255}`);
    const { resolver } = setup({
      'many.example': many(100),
      'bad.example': [...many(99), '10.0.0.1'],
      'flood.example': many(101),
    });
    const resolution = await resolver.resolve('many.example', 443);
    expect(resolution).toEqual({ ok: true, addresses: many(8) });
    expect(await resolver.resolve('bad.example', 443)).toMatchObject({ failure: 'blocked' });
    expect(await resolver.resolve('flood.example', 443)).toMatchObject({
      failure: 'dns',
      detail: 'the host name has too many addresses',
    });
  });

  test('whose lookup never ends is given up after the time budget', async () => {
    const { resolver } = setup({}, { lookup: () => new Promise(() => {}), timeoutMs: 10 });
    expect(await resolver.resolve('slow.example', 443)).toMatchObject({
      failure: 'dns',
      operatorDetail: 'ETIMEOUT',
    });
    expect(resolver.stats().inFlight).toBe(0);
  });
});

describe('an address', () => {
  test('is judged without asking anybody', async () => {
    const { resolver, asked } = setup({});
    expect(await resolver.resolve('8.8.8.8', 443)).toEqual({ ok: true, addresses: ['8.8.8.8'] });
    expect(await resolver.resolve('127.0.0.1', 443)).toMatchObject({ failure: 'blocked' });
    expect(await resolver.resolve('::1', 443)).toMatchObject({ failure: 'blocked' });
    expect(asked).toEqual([]);
  });

  test('in another spelling is only a name, and never reaches a dialler as it is', async () => {
    const { resolver } = setup({ '127.1': ['127.0.0.1'] });
    expect(await resolver.resolve('127.1', 443)).toMatchObject({ failure: 'blocked' });
  });
});

test('localhost is loopback without asking, and so allowed only where loopback is', async () => {
  const { resolver, asked } = setup({});
  expect(await resolver.resolve('localhost', 443)).toMatchObject({ failure: 'blocked' });
  const open = setup({}, { policy: createAddressPolicy({ allowedCidrs: ['127.0.0.0/8'] }) });
  expect(await open.resolver.resolve('app.localhost', 443)).toEqual({ ok: true, addresses: ['127.0.0.1'] });
  expect([...asked, ...open.asked]).toEqual([]);
});

describe('an answer is remembered', () => {
  test('for its shortest time to live', async () => {
    const { resolver, asked, advance } = setup({
      'a.example': [
        ['8.8.8.8', 30],
        ['1.1.1.1', 10],
      ],
    });
    await resolver.resolve('a.example', 443);
    advance(9_999);
    await resolver.resolve('a.example', 443);
    expect(asked).toHaveLength(1);
    advance(1);
    await resolver.resolve('a.example', 443);
    expect(asked).toHaveLength(2);
  });

  test('for a second at least and a minute at most', async () => {
    const { resolver, asked, advance } = setup({
      'none.example': [['8.8.8.8', 0]],
      'day.example': [['8.8.8.8', 86_400]],
    });
    await resolver.resolve('none.example', 443);
    await resolver.resolve('day.example', 443);
    advance(999);
    await resolver.resolve('none.example', 443);
    expect(asked).toHaveLength(2);
    advance(59_001);
    await resolver.resolve('none.example', 443);
    await resolver.resolve('day.example', 443);
    expect(asked).toHaveLength(4);
  });

  test('a blocked one as long as a good one, so that nobody tells them apart by how often they are asked for', async () => {
    const { resolver, asked, advance } = setup({
      'good.example': [['8.8.8.8', 30]],
      'bad.example': [['10.0.0.1', 30]],
    });
    for (const ms of [0, 29_999, 1]) {
      advance(ms);
      for (const name of ['good.example', 'bad.example']) await resolver.resolve(name, 443);
    }
    expect(asked).toEqual(['good.example', 'bad.example', 'good.example', 'bad.example']);
  });

  test('one without an address for five seconds, then asked for anew', async () => {
    const { resolver, asked, advance, script } = setup({ 'a.example': failing('ENODATA') });
    expect(await resolver.resolve('a.example', 443)).toMatchObject({ failure: 'dns' });
    script['a.example'] = ['8.8.8.8'];
    advance(4_999);
    expect(await resolver.resolve('a.example', 443)).toMatchObject({ failure: 'dns' });
    advance(1);
    expect(await resolver.resolve('a.example', 443)).toMatchObject({ ok: true });
    expect(asked).toHaveLength(2);
  });

  test('by as many names as allowed, the least recently used forgotten', async () => {
    const script = Object.fromEntries(['a', 'b', 'c'].map((name) => [`${name}.example`, ['8.8.8.8']]));
    const { resolver, asked } = setup(script, { maxEntries: 2 });
    for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) await resolver.resolve(`${name}.example`, 443);
    expect(asked).toEqual(['a.example', 'b.example', 'c.example', 'b.example']);
    expect(resolver.stats().entries).toBe(2);
  });
});

test('who asks for a name that is being looked up shares the answer', async () => {
  const { resolver, asked } = setup({ 'a.example': ['8.8.8.8'] });
  const both = await Promise.all([resolver.resolve('a.example', 443), resolver.resolve('a.example', 443)]);
  expect(both).toMatchObject([{ ok: true }, { ok: true }]);
  expect(asked).toHaveLength(1);
});

describe('lookups under way', () => {
  /** Names are answered when the test says so. */
  function setupHeld(options: Partial<ResolverOptions>) {
    const started: string[] = [];
    const answers = new Map<string, (addresses: readonly LookupAnswer[]) => void>();
    const lookup = (name: string) =>
      new Promise<readonly LookupAnswer[]>((resolve) => {
        started.push(name);
        answers.set(name, resolve);
      });
    const { resolver } = setup({}, { lookup, timeoutMs: 60_000, ...options });
    const answer = (name: string) => answers.get(name)!([{ address: '8.8.8.8', ttlSeconds: 60 }]);
    return { resolver, started, answer };
  }

  test('are bounded; more wait, and beyond a bound of these are told so', async () => {
    const { resolver, started, answer } = setupHeld({ maxInFlight: 1, maxWaiting: 1 });
    const first = resolver.resolve('a.example', 443);
    const second = resolver.resolve('b.example', 443);
    expect(await resolver.resolve('c.example', 443)).toMatchObject({
      failure: 'dns',
      operatorDetail: 'EBUSY',
    });
    expect(started).toEqual(['a.example']);
    expect(resolver.stats()).toMatchObject({ inFlight: 1, waiting: 1 });
    answer('a.example');
    await first;
    await nextTurn();
    expect(started).toEqual(['a.example', 'b.example']);
    answer('b.example');
    expect(await second).toMatchObject({ ok: true });
    expect(resolver.stats()).toMatchObject({ inFlight: 0, waiting: 0 });
  });

  test('of one leave room for those of others, also for a name that he waits for', async () => {
    const { resolver, started, answer } = setupHeld({ maxInFlight: 8 });
    const flood = Array.from({ length: 50 }, (_, n) => resolver.resolve(`slow-${n}.example`, 443, 'greedy'));
    await nextTurn();
    expect(started).toEqual(['slow-0.example', 'slow-1.example']);
    const other = resolver.resolve('slow-49.example', 443, 'modest');
    await nextTurn();
    expect(started).toContain('slow-49.example');
    answer('slow-49.example');
    expect(await other).toMatchObject({ ok: true });
    expect(resolver.stats()).toMatchObject({ inFlight: 2, waiting: 48 });
    for (let n = 0; n < 49; n++) {
      await nextTurn();
      answer(`slow-${n}.example`);
    }
    expect(await Promise.all(flood)).toHaveLength(50);
    // What the other one had asked for meanwhile was remembered.
    expect(started.filter((name) => name === 'slow-49.example')).toHaveLength(1);
  });
});

describe('of an address at which this system is itself', () => {
  const policy = createAddressPolicy({
    allowedCidrs: ['127.0.0.0/8'],
    ownHosts: ['127.0.0.1:3000', '8.8.8.8'],
  });

  test('only the port that it listens on is refused, whatever is remembered of the name', async () => {
    const { resolver, asked } = setup({ 'a.example': ['127.0.0.1'] }, { policy });
    expect(await resolver.resolve('a.example', 3001)).toMatchObject({ ok: true });
    expect(await resolver.resolve('a.example', 3000)).toMatchObject({
      failure: 'blocked',
      why: 'own_host',
      detail: 'connection refused',
    });
    expect(await resolver.resolve('localhost', 3000)).toMatchObject({ failure: 'blocked', why: 'own_host' });
    expect(await resolver.resolve('a.example', 3001)).toMatchObject({ ok: true });
    expect(asked).toEqual(['a.example']);
  });

  test('every port is where none is said, in any spelling', async () => {
    const { resolver } = setup({ 'a.example': ['1.1.1.1', '::ffff:808:808'] }, { policy });
    expect(await resolver.resolve('a.example', 443)).toMatchObject({ failure: 'blocked', why: 'own_host' });
  });
});
