import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFailureWindow } from './failure-window.ts';

const WINDOW_MS = 1_000;

test('what is older than the window does not count', () => {
  const window = createFailureWindow(WINDOW_MS);
  window.count(true, 0);
  window.count(false, 500);
  expect([window.attempts, window.failures]).toEqual([2, 1]);
  window.count(false, 1_050);
  expect([window.attempts, window.failures]).toEqual([2, 0]);
  window.count(true, 99_999);
  expect([window.attempts, window.failures]).toEqual([1, 1]);
});

test('the counts are those of the last window, to a tenth of it', () => {
  const step = fc.record({ afterMs: fc.integer({ min: 0, max: 1_500 }), failed: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const window = createFailureWindow(WINDOW_MS);
      const seen: { atMs: number; failed: boolean }[] = [];
      let nowMs = 0;
      for (const { afterMs, failed } of steps) {
        nowMs += afterMs;
        window.count(failed, nowMs);
        seen.push({ atMs: nowMs, failed });
        const since = (ms: number) => seen.filter((each) => each.atMs > nowMs - ms);
        expect(window.attempts).toBeLessThanOrEqual(since(WINDOW_MS).length);
        expect(window.attempts).toBeGreaterThanOrEqual(since(WINDOW_MS * 0.9).length);
        expect(window.failures).toBeLessThanOrEqual(since(WINDOW_MS).filter((each) => each.failed).length);
        expect(window.failures).toBeLessThanOrEqual(window.attempts);
      }
    }),
  );
});
