import type { FailureClass } from '@posthorn/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decideNext, type FailedAttempt, type Failure } from './retry-policy.ts';

const SCHEDULE = [1_000, 4_000, 16_000, 64_000, 256_000];
const policy = { scheduleMs: SCHEDULE, jitterPercent: 0 };

const failure = (over: Partial<Failure> = {}): Failure => ({
  kind: 'failure',
  failure: 'http_5xx',
  status: 503,
  detail: 'HTTP 503',
  retryAfterMs: null,
  ...over,
});
const failed = (over: Partial<FailedAttempt> = {}): FailedAttempt => ({
  deliveryId: 'd',
  run: 0,
  round: 0,
  attempt: 1,
  scheduleMs: null,
  ...over,
});

test('five waits follow the first try, and the sixth failure is a dead letter', () => {
  const steps = [1, 2, 3, 4, 5, 6].map((attempt) => decideNext(policy, failed({ attempt }), failure()));
  expect(steps).toEqual([
    ...SCHEDULE.map((delayMs) => ({ kind: 'retry', delayMs })),
    { kind: 'dead_letter', reason: 'attempts_exhausted' },
  ]);
});

test("an endpoint's own schedule is used instead, an empty one means one attempt", () => {
  expect(decideNext(policy, failed({ scheduleMs: [50, 70], attempt: 2 }), failure())).toEqual({
    kind: 'retry',
    delayMs: 70,
  });
  expect(decideNext(policy, failed({ scheduleMs: [] }), failure())).toEqual({
    kind: 'dead_letter',
    reason: 'attempts_exhausted',
  });
});

test.each<[FailureClass, string]>([
  ['gone', 'endpoint_gone'],
  ['invalid_endpoint', 'invalid_endpoint'],
])('%s is dead-lettered at the first attempt', (name, reason) => {
  expect(decideNext(policy, failed(), failure({ failure: name }))).toEqual({ kind: 'dead_letter', reason });
});

test('Retry-After lengthens a wait and never shortens it', () => {
  const after = (retryAfterMs: number) =>
    decideNext(policy, failed({ attempt: 2 }), failure({ failure: 'rate_limited', retryAfterMs }));
  expect(after(9_000)).toEqual({ kind: 'retry', delayMs: 9_000 });
  expect(after(100)).toEqual({ kind: 'retry', delayMs: 4_000 });
});

test('jitter stays within its share and is the same for twins of one attempt', () => {
  const jittered = { scheduleMs: SCHEDULE, jitterPercent: 10 };
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 5 }), fc.nat(9), (deliveryId, attempt, round) => {
      const one = decideNext(jittered, failed({ deliveryId, attempt, round }), failure());
      const twin = decideNext(jittered, failed({ deliveryId, attempt, round }), failure());
      expect(one).toEqual(twin);
      if (one.kind !== 'retry') throw new Error('there is a wait left');
      expect(Math.abs(one.delayMs / SCHEDULE[attempt - 1]! - 1)).toBeLessThanOrEqual(0.101);
    }),
  );
});

test('deliveries that fail together are spread', () => {
  const jittered = { scheduleMs: [100_000], jitterPercent: 10 };
  const delays = Array.from({ length: 50 }, (_, i) =>
    decideNext(jittered, failed({ deliveryId: `delivery ${i}` }), failure()),
  );
  expect(new Set(delays.map((step) => (step.kind === 'retry' ? step.delayMs : 0))).size).toBeGreaterThan(40);
});
