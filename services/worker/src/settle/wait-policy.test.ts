import fc from 'fast-check';
import { expect, test } from 'vitest';
import { circuitBudgetMs, circuitWaitMs, pauseWaitMs, type WaitPolicy } from './wait-policy.ts';

const MINUTE_MS = 60_000;
const policy: WaitPolicy = {
  scheduleMs: [1_000, 4_000],
  jitterPercent: 0,
  circuitLeastWaitMs: 64_000,
  circuitMaxWaitMs: 15 * MINUTE_MS,
  circuitLeastBudgetMs: 10 * MINUTE_MS,
  pauseFirstWaitMs: 16_000,
  pauseMaxWaitMs: 15 * MINUTE_MS,
};
const wait = { probeInMs: 0, waitedMs: 0, budgetMs: 24 * 60 * MINUTE_MS, key: 'k' };

/** All waits of a round whose circuit never closes. */
function waitsOfRound(over: Partial<WaitPolicy>, budgetMs: number, probeInMs: () => number): number[] {
  const waits: number[] = [];
  let waitedMs = 0;
  for (;;) {
    const next = { probeInMs: probeInMs(), waitedMs, budgetMs, key: `${waits.length}` };
    const delayMs = circuitWaitMs({ ...policy, ...over }, next);
    if (delayMs === null) return waits;
    waits.push(delayMs);
    waitedMs += delayMs;
  }
}

test('the waits for a circuit double from 64 s to 15 min', () => {
  expect(waitsOfRound({}, 2_000_000, () => 0)).toEqual([64_000, 128_000, 256_000, 512_000, 900_000, 140_000]);
});

test('a wait reaches the next probe at least', () => {
  expect(circuitWaitMs(policy, { ...wait, probeInMs: 299_999.5 })).toBe(300_000);
});

test('what is turned away together comes back apart, and never before the probe', () => {
  const keys = Array.from({ length: 50 }, (_, i) => `slot ${i}`);
  const waits = keys.map((key) =>
    circuitWaitMs({ ...policy, jitterPercent: 10 }, { ...wait, probeInMs: 100_000, key }),
  );
  expect(Math.min(...waits.map(Number))).toBeGreaterThanOrEqual(100_000);
  expect(Math.max(...waits.map(Number))).toBeLessThanOrEqual(110_000);
  expect(new Set(waits).size).toBeGreaterThan(40);
});

test('the budget for circuits is the span of the schedule, ten minutes at least', () => {
  const budget = (scheduleMs: readonly number[] | null, maxRetryMs: number | null = null) =>
    circuitBudgetMs(policy, { scheduleMs, maxRetryMs });
  const hourMs = 60 * MINUTE_MS;
  expect(budget(null)).toBe(10 * MINUTE_MS);
  expect(budget([hourMs, hourMs])).toBe(2 * hourMs);
  expect(budget([hourMs, hourMs], 90 * MINUTE_MS)).toBe(90 * MINUTE_MS);
  expect(budget([hourMs], 1_000)).toBe(10 * MINUTE_MS);
  expect(budget([])).toBe(10 * MINUTE_MS);
});

test('whatever the probes do, a round ends; its waits are bounded one by one and together', () => {
  const budgets = fc.integer({ min: 1, max: 75 * 60 * MINUTE_MS });
  const probes = fc.infiniteStream(fc.double({ min: 0, max: 300_000, noNaN: true }));
  fc.assert(
    fc.property(budgets, probes, fc.integer({ min: 0, max: 50 }), (budgetMs, probeIn, jitterPercent) => {
      const waits = waitsOfRound({ jitterPercent }, budgetMs, () => probeIn.next().value ?? 0);
      for (const each of waits) {
        expect(Number.isInteger(each)).toBe(true);
        expect(each).toBeLessThanOrEqual(policy.circuitMaxWaitMs);
      }
      expect(waits.reduce((sum, each) => sum + each, 0)).toBe(budgetMs);
      // A few doublings, then the longest wait: that many moves at most.
      expect(waits.length).toBeLessThanOrEqual(5 + Math.ceil(budgetMs / policy.circuitMaxWaitMs));
    }),
  );
});

test('the waits for a paused endpoint double from 16 s to 15 min', () => {
  const waits = [0, 1, 2, 3, 4, 5, 6, 7, 1_000].map((bounces) => pauseWaitMs(policy, bounces, 'k'));
  expect(waits.map((ms) => ms / 1_000)).toEqual([16, 32, 64, 128, 256, 512, 900, 900, 900]);
});
