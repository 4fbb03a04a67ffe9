import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BrokerClock, createBrokerClock, SAMPLE_LIFE_MS } from './broker-clock.ts';

/** A broker whose clock is `skewMs` ahead of our monotonic one, seen over requests with chosen delays. */
function setup(skewMs: number) {
  let nowMs = 1_000;
  let skew = skewMs;
  const clock: BrokerClock = createBrokerClock(() => nowMs);
  return {
    clock,
    brokerNow: () => nowMs + skew,
    advance(ms: number) {
      nowMs += ms;
    },
    step(ms: number) {
      skew += ms;
    },
    request(thereMs: number, backMs: number) {
      const sentMs = nowMs;
      const appendTimeMs = Math.floor(sentMs + thereMs + skew);
      nowMs += thereMs + backMs;
      clock.observe({ appendTimeMs, sentMs, ackedMs: nowMs });
    },
  };
}

test('the clock is not known before the first sample', () => {
  const { clock } = setup(0);
  expect(() => clock.nowMs()).toThrow(/not known yet/);
  expect(clock.ageMs).toBe(Number.POSITIVE_INFINITY);
});

test('the estimate is wrong by half the fastest round trip at most, however lopsided the requests', () => {
  const delay = fc.double({ min: 0, max: 200, noNaN: true });
  const requests = fc.array(fc.tuple(delay, delay), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(requests, fc.integer({ min: -1e9, max: 1e12 }), (some, skewMs) => {
      const { clock, brokerNow, request } = setup(skewMs);
      for (const [there, back] of some) request(there, back);
      const fastest = Math.min(...some.map(([there, back]) => there + back));
      expect(Math.abs(clock.nowMs() - brokerNow())).toBeLessThanOrEqual((fastest + 1) / 2 + 0.01);
    }),
  );
});

test('between samples it goes on with the monotonic clock', () => {
  const { clock, advance, request, brokerNow } = setup(5_000);
  request(2, 2);
  advance(9_000);
  expect(Math.abs(clock.nowMs() - brokerNow())).toBeLessThanOrEqual(3);
  expect(clock.ageMs).toBe(9_000);
});

test('a slow request does not replace a fast one while that is fresh, but does later', () => {
  const { clock, advance, request, brokerNow } = setup(0);
  request(1, 1);
  request(0, 400);
  expect(Math.abs(clock.nowMs() - brokerNow())).toBeLessThan(2);
  advance(SAMPLE_LIFE_MS);
  request(0, 400);
  expect(Math.abs(clock.nowMs() - brokerNow())).toBeGreaterThan(100);
});

test('a request that an outage held up says nothing of the time, and is no sample that a beacon could wait for', () => {
  const { clock, advance, request, brokerNow } = setup(0);
  request(1, 1);
  advance(SAMPLE_LIFE_MS);
  request(10_000, 1);
  expect(Math.abs(clock.nowMs() - brokerNow())).toBeLessThan(2);
  expect(clock.ageMs).toBeGreaterThan(SAMPLE_LIFE_MS);
});

test("a step of the broker's clock is followed at the next sample", () => {
  const { clock, request, step, brokerNow } = setup(0);
  request(1, 1);
  step(-3_600_000);
  request(5, 5);
  expect(Math.abs(clock.nowMs() - brokerNow())).toBeLessThan(10);
});
