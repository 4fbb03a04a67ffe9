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
  maxRetryMs: null,
  spentMs: 0,
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

test('a wait that would go beyond the time budget is not begun; one that just fits is', () => {
  const at = (spentMs: number) =>
    decideNext(policy, failed({ attempt: 2, maxRetryMs: 6_000, spentMs }), failure());
  expect(at(2_000)).toEqual({ kind: 'retry', delayMs: 4_000 });
  expect(at(2_001)).toEqual({ kind: 'dead_letter', reason: 'time_exhausted' });
});

test('a Retry-After beyond the time budget ends the round', () => {
  const step = decideNext(policy, failed({ maxRetryMs: 60_000 }), failure({ retryAfterMs: 61_000 }));
  expect(step).toEqual({ kind: 'dead_letter', reason: 'time_exhausted' });
});

test('a used-up schedule is the reason, whatever the time', () => {
  expect(decideNext(policy, failed({ attempt: 6, maxRetryMs: 1, spentMs: 99 }), failure())).toEqual({
    kind: 'dead_letter',
    reason: 'attempts_exhausted',
  });
});

test('no round spends more time than its budget on waits and attempts, the last attempt aside', () => {
  const round = fc.record({
    maxRetryMs: fc.integer({ min: 1, max: 1_000_000 }),
    durations: fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 10, maxLength: 10 }),
    retryAfterMs: fc.option(fc.integer({ min: 1, max: 3_600_000 })),
  });
  fc.assert(
    fc.property(round, ({ maxRetryMs, durations, retryAfterMs }) => {
      let spentMs = 0;
      for (const [index, durationMs] of durations.entries()) {
        spentMs += durationMs;
        const attempt = failed({ attempt: index + 1, maxRetryMs, spentMs });
        const step = decideNext({ ...policy, jitterPercent: 10 }, attempt, failure({ retryAfterMs }));
        if (step.kind === 'dead_letter') return;
        spentMs += step.delayMs;
        expect(spentMs).toBeLessThanOrEqual(maxRetryMs);
      }
      throw new Error('the schedule ends before');
    }),
  );
});
