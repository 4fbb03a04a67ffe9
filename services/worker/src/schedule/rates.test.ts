import fc from 'fast-check';
import { expect, test } from 'vitest';
import { giveBack, nextStartMs, type Rate, spend } from './rates.ts';

const fresh = (): Rate => ({ spentToMs: Number.NEGATIVE_INFINITY });

function startsAt(rate: Rate, maxPerSec: number, nowMs: number): number {
  let starts = 0;
  for (; nextStartMs(rate, maxPerSec) <= nowMs; starts++) spend(rate, maxPerSec, nowMs);
  return starts;
}

test("a second's worth may start at once, and then as many a second as the rate says", () => {
  const rate = fresh();
  expect(startsAt(rate, 10, 0)).toBe(10);
  expect(startsAt(rate, 10, 99)).toBe(0);
  expect(startsAt(rate, 10, 100)).toBe(1);
  expect(startsAt(rate, 10, 600)).toBe(5);
  expect(startsAt(rate, 10, 60_000)).toBe(10);
});

test('what is given back may be spent again', () => {
  const rate = fresh();
  startsAt(rate, 2, 0);
  giveBack(rate, 2);
  expect(startsAt(rate, 2, 0)).toBe(1);
});

test('over any times a span has no more starts than its seconds and one allow', () => {
  const gaps = fc.array(fc.nat(400), { minLength: 5, maxLength: 30 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), gaps, (maxPerSec, waits) => {
      const rate = fresh();
      const starts: number[] = [];
      let nowMs = 0;
      for (const wait of waits) {
        nowMs += wait;
        starts.push(...Array.from({ length: startsAt(rate, maxPerSec, nowMs) }, () => nowMs));
      }
      const excess = starts.flatMap((fromMs, i) =>
        starts.slice(i).map((toMs, more) => more + 1 - ((toMs - fromMs) / 1_000 + 1) * maxPerSec),
      );
      expect(Math.max(0, ...excess)).toBeLessThanOrEqual(1e-6);
    }),
  );
});
