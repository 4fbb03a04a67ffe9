import { describe, expect, test } from 'vitest';
import { LATENCY_BOUNDS_MS, LATENCY_BUCKETS, latencyAt, latencyBucket } from './latency-buckets.ts';

const count = (durations: readonly number[]): number[] => {
  const counts = new Array<number>(LATENCY_BUCKETS).fill(0);
  for (const each of durations) counts[latencyBucket(each)]! += 1;
  return counts;
};

describe('a percentile of counted latencies', () => {
  test.each([0.5, 0.95, 0.99, 1])('lies in the bucket of the latency itself (share %s)', (share) => {
    for (let length = 1; length <= 40; length++) {
      const given = Array.from({ length }, (_, i) => (i * 7_919 * length) % 90_000);
      const exact = given.toSorted((a, b) => a - b)[Math.ceil(share * length) - 1]!;
      const bucket = latencyBucket(exact);
      const found = latencyAt(count(given), share)!;
      expect(found).toBeGreaterThanOrEqual(LATENCY_BOUNDS_MS[bucket - 1] ?? 0);
      expect(found).toBeLessThanOrEqual(LATENCY_BOUNDS_MS[bucket] ?? LATENCY_BOUNDS_MS.at(-1)!);
    }
  });

  test('of nothing is nothing', () => {
    expect(latencyAt(count([]), 0.5)).toBeNull();
  });

  test('is spread over its bucket', () => {
    expect(latencyAt(count([15, 15, 15, 15]), 0.5)).toBe(15);
    expect(latencyAt(count([15, 15, 15, 15]), 1)).toBe(20);
  });
});
