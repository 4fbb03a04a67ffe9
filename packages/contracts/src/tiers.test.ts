import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  chooseTier,
  DEFAULT_TIERS,
  jitter,
  lookAheadMs,
  MAX_SCHEDULE_MS,
  parseDuration,
  parseTiers,
  putAsideDelayMs,
  SCHEDULE_PRESETS,
} from './tiers.ts';

const tiers = parseTiers(DEFAULT_TIERS);

test.each([
  ['50ms', 50],
  ['4s', 4_000],
  ['15m', 900_000],
  ['24h', 86_400_000],
  [' 1s ', 1_000],
  ['1', null],
  ['1d', null],
  ['-1s', null],
  ['1.5s', null],
  ['', null],
])('the duration %j is %s ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

describe('parsing tiers', () => {
  test('keeps names and order', () => {
    expect(parseTiers('1s, 4s,15m')).toEqual([
      { name: '1s', delayMs: 1_000 },
      { name: '4s', delayMs: 4_000 },
      { name: '15m', delayMs: 900_000 },
    ]);
  });

  test.each([
    ['nothing', '', /"" is not a delay/],
    ['no delay', '1s,soon', /"soon" is not a delay/],
    ['a delay of nothing', '0s', /"0s" is not a delay/],
    ['a tier before a shorter one', '4s,1s', /"1s" must be longer than "4s"/],
    ['two of one length', '1s,1000ms', /must be longer/],
    ['too many', Array.from({ length: 13 }, (_, i) => `${i + 1}s`).join(), /13 tiers are more than 12/],
  ])('refuses %s', (_, text, message) => {
    expect(() => parseTiers(text)).toThrow(message);
  });
});

test.each([
  ['1s', 250],
  ['4s', 1_000],
  ['64s', 16_000],
  ['256s', 20_000],
  ['24h', 20_000],
])('the look-ahead of %s is %d ms', (name, ms) => {
  expect(lookAheadMs(tiers.find((tier) => tier.name === name)!)).toBe(ms);
});

describe('choosing a tier', () => {
  test.each([
    [0, '1s'],
    [999, '1s'],
    [2_999, '1s'],
    [3_000, '4s'],
    [4_400, '4s'],
    [57_600, '64s'],
    [230_400, '64s'],
    [236_000, '256s'],
    [270_000_000, '24h'],
  ])('a wait of %d ms goes to %s', (delayMs, name) => {
    expect(chooseTier(tiers, delayMs).name).toBe(name);
  });

  test('never ends a wait later than its due time, but on the shortest tier', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300_000_000 }), (delayMs) => {
        const tier = chooseTier(tiers, delayMs);
        return tier === tiers[0] || tier.delayMs - lookAheadMs(tier) <= delayMs;
      }),
    );
  });

  test('walks any wait to its end in few hops', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300_000_000 }), (delayMs) => {
        let left = delayMs;
        let hops = 0;
        for (;;) {
          const tier = chooseTier(tiers, left);
          if (left <= tier.delayMs + lookAheadMs(tier)) break;
          left -= tier.delayMs;
          hops++;
        }
        expect(hops).toBeLessThan(30);
      }),
    );
  });

  test('a jittered step of the default schedule needs no further hop', () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 4, 16, 64, 256), fc.string(), (seconds, key) => {
        const wait = jitter(seconds * 1_000, 10, key);
        const tier = chooseTier(tiers, wait);
        expect(tier.delayMs).toBe(seconds * 1_000);
        expect(wait).toBeLessThanOrEqual(tier.delayMs + lookAheadMs(tier));
      }),
    );
  });
});

describe('jitter', () => {
  test('stays within its share and is the same for the same key', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e8 }),
        fc.integer({ min: 0, max: 50 }),
        fc.string(),
        (ms, percent, key) => {
          const spread = jitter(ms, percent, key);
          expect(Math.abs(spread - ms)).toBeLessThanOrEqual((ms * percent) / 100 + 0.5);
          expect(jitter(ms, percent, key)).toBe(spread);
        },
      ),
    );
  });

  test('spreads keys that differ in their last digit alone over the whole share', () => {
    const spread = Array.from({ length: 1_000 }, (_, i) => jitter(100_000, 10, `delivery_${i}|0|1`));
    expect(Math.min(...spread)).toBeLessThan(91_000);
    expect(Math.max(...spread)).toBeGreaterThan(109_000);
    expect(spread.reduce((sum, each) => sum + each, 0) / 1_000).toBeCloseTo(100_000, -4);
  });
});

test('what is put aside again and again waits twice as long each time, 256 s at most', () => {
  const delays = [0, 1, 2, 7, 8, 9, 60, 2_000].map(putAsideDelayMs);
  expect(delays).toEqual([1_000, 2_000, 4_000, 128_000, 256_000, 256_000, 256_000, 256_000]);
});

test('every schedule preset is within what a schedule may be, and the standard one reaches 75 hours', () => {
  const spans = Object.entries(SCHEDULE_PRESETS).map(([name, waits]) => [
    name,
    (waits as readonly number[]).reduce((sum, waitMs) => sum + waitMs, 0),
  ]);
  for (const [, spanMs] of spans) expect(spanMs).toBeLessThanOrEqual(MAX_SCHEDULE_MS);
  expect(Object.fromEntries(spans).standard).toBeGreaterThanOrEqual(75 * 3_600_000);
});
