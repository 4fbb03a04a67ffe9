import type { FailureClass, Outcome } from '@posthorn/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Breaker,
  type BreakerOptions,
  type CircuitMode,
  type CircuitTurn,
  createBreaker,
} from './breaker.ts';

const TENANT = 'acme';
const ENDPOINT = 'ep_1';
const ok: Outcome = { kind: 'success', status: 200 };
const failed = (failure: FailureClass): Outcome => ({
  kind: 'failure',
  failure,
  status: null,
  detail: '',
  retryAfterMs: null,
});
const down = failed('connect');

function setup(over: Partial<BreakerOptions> = {}) {
  const turns: CircuitMode[] = [];
  const breaker = createBreaker({
    failurePercent: 80,
    minAttempts: 20,
    windowMs: 30_000,
    firstProbeMs: 30_000,
    maxProbeMs: 300_000,
    maxEndpoints: 100,
    onTurn: ({ to }) => void turns.push(to),
    ...over,
  });
  return { breaker, turns };
}

function observe(breaker: Breaker, times: number, outcome: Outcome, nowMs = 0, endpointId = ENDPOINT): void {
  for (let i = 0; i < times; i++) breaker.observe(TENANT, endpointId, 'closed', outcome, nowMs);
}

/** A breaker whose circuit opened at 0. */
function setupOpen(over: Partial<BreakerOptions> = {}) {
  const bundle = setup(over);
  observe(bundle.breaker, 20, down);
  return bundle;
}

/** Lets the probe that is due at `nowMs` through, and ends it. */
function probe(breaker: Breaker, nowMs: number, outcome: Outcome): void {
  expect(breaker.judge(ENDPOINT, nowMs)).toEqual({ kind: 'probe' });
  breaker.observe(TENANT, ENDPOINT, 'probe', outcome, nowMs);
}

test('a circuit opens with the twentieth failure within the window, not before', () => {
  const { breaker, turns } = setup();
  observe(breaker, 19, down);
  expect(breaker.judge(ENDPOINT, 0)).toEqual({ kind: 'closed' });
  observe(breaker, 1, down);
  expect(breaker.judge(ENDPOINT, 0)).toEqual({ kind: 'open', probeInMs: 30_000 });
  expect(turns).toEqual(['open']);
  expect(breaker.stats().openCircuits).toBe(1);
});

test('failures that are further apart than the window open nothing', () => {
  const { breaker } = setup();
  for (let i = 0; i < 100; i++) observe(breaker, 1, down, i * 1_600);
  expect(breaker.isOpen(ENDPOINT)).toBe(false);
});

test('below the share of failures no circuit opens; at it one does', () => {
  const { breaker } = setup();
  for (let i = 0; i < 40; i++) observe(breaker, 1, i % 4 === 0 ? ok : down);
  expect(breaker.isOpen(ENDPOINT)).toBe(false);
  observe(breaker, 10, down);
  expect(breaker.isOpen(ENDPOINT)).toBe(true);
});

test('a receiver that dies after many successes is found out by twenty attempts', () => {
  const { breaker } = setup();
  observe(breaker, 10_000, ok);
  observe(breaker, 20, down);
  expect(breaker.isOpen(ENDPOINT)).toBe(true);
});

test('an endpoint that fails nothing is not even remembered', () => {
  const { breaker } = setup();
  observe(breaker, 100, ok);
  expect(breaker.stats().endpoints).toBe(0);
});

test('an endpoint whose failures are behind the window is forgotten', () => {
  const { breaker } = setup();
  observe(breaker, 5, down);
  expect(breaker.stats().endpoints).toBe(1);
  observe(breaker, 1, ok, 60_000);
  expect(breaker.stats().endpoints).toBe(0);
});

test.each<FailureClass>(['rate_limited', 'gone', 'invalid_endpoint', 'http_4xx', 'redirect'])(
  '%s does not say that the receiver is down',
  (failure) => {
    const { breaker } = setup();
    observe(breaker, 100, failed(failure));
    expect(breaker.isOpen(ENDPOINT)).toBe(false);
  },
);

test.each<FailureClass>(['timeout', 'dns', 'connect', 'tls', 'protocol', 'http_5xx'])(
  '%s says that the receiver is down',
  (failure) => {
    const { breaker } = setup();
    observe(breaker, 20, failed(failure));
    expect(breaker.isOpen(ENDPOINT)).toBe(true);
  },
);

test('one endpoint says nothing about another', () => {
  const { breaker } = setupOpen();
  expect(breaker.judge('ep_2', 0)).toEqual({ kind: 'closed' });
});

test('when a probe is due one slot is let through, and no second one beside it', () => {
  const { breaker, turns } = setupOpen();
  expect(breaker.judge(ENDPOINT, 29_999)).toEqual({ kind: 'open', probeInMs: 1 });
  expect(breaker.judge(ENDPOINT, 30_000)).toEqual({ kind: 'probe' });
  expect(breaker.judge(ENDPOINT, 30_000)).toEqual({ kind: 'open', probeInMs: 60_000 });
  expect(turns).toEqual(['open', 'half_open']);
});

test.each<[string, Outcome]>([
  ['a success', ok],
  ['an answer that is not the one hoped for', failed('http_4xx')],
])('%s closes the circuit, and counting starts again', (_what, outcome) => {
  const { breaker, turns } = setupOpen();
  probe(breaker, 30_000, outcome);
  expect(breaker.judge(ENDPOINT, 30_000)).toEqual({ kind: 'closed' });
  expect(breaker.stats()).toEqual({ openCircuits: 0, endpoints: 0 });
  observe(breaker, 19, down, 30_000);
  expect(breaker.isOpen(ENDPOINT)).toBe(false);
  expect(turns).toEqual(['open', 'half_open', 'closed']);
});

test('each probe that fails doubles the wait for the next, up to the bound', () => {
  const { breaker } = setupOpen();
  let nowMs = 30_000;
  const waits = Array.from({ length: 6 }, () => {
    probe(breaker, nowMs, down);
    const verdict = breaker.judge(ENDPOINT, nowMs);
    if (verdict.kind !== 'open') throw new Error('the circuit is open');
    nowMs += verdict.probeInMs;
    return verdict.probeInMs;
  });
  expect(waits).toEqual([60_000, 120_000, 240_000, 300_000, 300_000, 300_000]);
});

test('a probe that is answered 429 leaves the wait as it is', () => {
  const { breaker } = setupOpen();
  probe(breaker, 30_000, failed('rate_limited'));
  expect(breaker.judge(ENDPOINT, 30_000)).toEqual({ kind: 'open', probeInMs: 30_000 });
});

test('a probe that was not made is the next slot', () => {
  const { breaker } = setupOpen();
  breaker.judge(ENDPOINT, 30_000);
  breaker.abandon(ENDPOINT);
  expect(breaker.judge(ENDPOINT, 30_000)).toEqual({ kind: 'probe' });
});

test('attempts that were under way when the circuit opened change nothing', () => {
  const { breaker } = setupOpen();
  observe(breaker, 50, ok, 1_000);
  expect(breaker.judge(ENDPOINT, 1_000)).toEqual({ kind: 'open', probeInMs: 29_000 });
});

test('who is told of a turn learns whose circuit it is, and when it is probed next', () => {
  const turned: CircuitTurn[] = [];
  const { breaker } = setupOpen({ onTurn: (turn) => void turned.push(turn) });
  probe(breaker, 30_000, down);
  probe(breaker, 90_000, ok);
  const circuit = { tenantId: TENANT, endpointId: ENDPOINT };
  expect(turned.filter(({ to }) => to !== 'half_open')).toMatchObject([
    { ...circuit, from: 'closed', to: 'open', probeAtMs: 30_000 },
    { ...circuit, from: 'half_open', to: 'open', probeAtMs: 90_000 },
    { ...circuit, from: 'half_open', to: 'closed' },
  ]);
});

test('beyond the bound the endpoint that was not used for longest is forgotten', () => {
  const { breaker, turns } = setupOpen({ maxEndpoints: 2 });
  observe(breaker, 1, down, 0, 'ep_2');
  breaker.judge(ENDPOINT, 1);
  observe(breaker, 1, down, 2, 'ep_3');
  expect(breaker.isOpen(ENDPOINT)).toBe(true);
  observe(breaker, 2, down, 3, 'ep_2');
  expect(breaker.isOpen(ENDPOINT)).toBe(false);
  expect(breaker.stats()).toEqual({ openCircuits: 0, endpoints: 2 });
  expect(turns).toEqual(['open', 'closed']);
});

test('a probe whose circuit was forgotten meanwhile changes nothing', () => {
  const { breaker } = setupOpen({ maxEndpoints: 1 });
  breaker.judge(ENDPOINT, 30_000);
  observe(breaker, 1, down, 30_000, 'ep_2');
  breaker.observe(TENANT, ENDPOINT, 'probe', down, 30_001);
  breaker.abandon(ENDPOINT);
  expect(breaker.judge(ENDPOINT, 30_001)).toEqual({ kind: 'closed' });
  expect(breaker.stats()).toEqual({ openCircuits: 0, endpoints: 1 });
});

type Step =
  | { readonly do: 'come'; readonly afterMs: number }
  | { readonly do: 'end'; readonly which: number; readonly outcome: Outcome }
  | { readonly do: 'give_up'; readonly which: number };

const outcome = fc.constantFrom(ok, down, down, failed('rate_limited'), failed('http_5xx'), failed('gone'));
const script: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constant('come' as const), afterMs: fc.integer({ min: 0, max: 400 }) }),
    },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('end' as const), which: fc.nat(9), outcome }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('give_up' as const), which: fc.nat(9) }) },
  ),
  { minLength: 20, maxLength: 300 },
);

test('over any history one probe at most is under way, and an open circuit lets nothing else through', () => {
  fc.assert(
    fc.property(script, (steps) => {
      const options = { minAttempts: 3, windowMs: 1_000, firstProbeMs: 500, maxProbeMs: 2_000 };
      const { breaker, turns } = setup(options);
      const underWay: ('closed' | 'probe')[] = [];
      const take = (which: number) => underWay.splice(which % Math.max(underWay.length, 1), 1)[0];
      let nowMs = 0;
      const mode = () => turns.at(-1) ?? 'closed';
      for (const step of steps) {
        if (step.do === 'come') {
          nowMs += step.afterMs;
          const before = mode();
          const verdict = breaker.judge(ENDPOINT, nowMs);
          if (verdict.kind === 'open') {
            expect(verdict.probeInMs).toBeGreaterThan(0);
            expect(verdict.probeInMs).toBeLessThanOrEqual(options.maxProbeMs);
          } else {
            // A probe comes of an open circuit alone, an ordinary attempt of a closed one alone.
            expect(before).toBe(verdict.kind === 'probe' ? 'open' : 'closed');
            underWay.push(verdict.kind);
          }
        } else {
          const admitted = take(step.which);
          if (admitted === undefined) continue;
          if (step.do === 'end') breaker.observe(TENANT, ENDPOINT, admitted, step.outcome, nowMs);
          else if (admitted === 'probe') breaker.abandon(ENDPOINT);
        }
        expect(underWay.filter((each) => each === 'probe').length).toBe(mode() === 'half_open' ? 1 : 0);
        expect(breaker.stats().openCircuits).toBe(mode() === 'closed' ? 0 : 1);
      }
    }),
  );
});

test('an open circuit is probed again within the longest wait, however it came about', () => {
  fc.assert(
    fc.property(fc.array(outcome, { maxLength: 20 }), (answers) => {
      const { breaker } = setupOpen();
      let nowMs = 0;
      for (const answer of answers) {
        const verdict = breaker.judge(ENDPOINT, nowMs);
        if (verdict.kind === 'closed') return;
        if (verdict.kind === 'probe') {
          breaker.observe(TENANT, ENDPOINT, 'probe', answer, nowMs);
          continue;
        }
        expect(verdict.probeInMs).toBeLessThanOrEqual(300_000);
        nowMs += verdict.probeInMs;
        expect(breaker.judge(ENDPOINT, nowMs).kind).toBe('probe');
        breaker.observe(TENANT, ENDPOINT, 'probe', answer, nowMs);
      }
    }),
  );
});
