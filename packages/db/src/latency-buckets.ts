/** Upper bounds of the buckets in which latencies are counted; one more holds what is longer. */
export const LATENCY_BOUNDS_MS = [
  5, 10, 20, 50, 100, 200, 350, 500, 750, 1_000, 1_500, 2_500, 5_000, 10_000, 15_000, 30_000, 60_000,
] as const;
export const LATENCY_BUCKETS = LATENCY_BOUNDS_MS.length + 1;

export function latencyBucket(durationMs: number): number {
  let bucket = 0;
  while (bucket < LATENCY_BOUNDS_MS.length && durationMs > LATENCY_BOUNDS_MS[bucket]!) bucket++;
  return bucket;
}

/**
 * The duration below which a share of what was counted lies, straight between the bounds of its bucket; of the last
 * bucket its lower bound. Null when nothing was counted.
 */
export function latencyAt(counts: readonly number[], share: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const rank = share * total;
  let below = 0;
  for (const [bucket, count] of counts.entries()) {
    if (count > 0 && below + count >= rank) return within(bucket, (rank - below) / count);
    below += count;
  }
  return LATENCY_BOUNDS_MS.at(-1)!;
}

function within(bucket: number, share: number): number {
  const from = LATENCY_BOUNDS_MS[bucket - 1] ?? 0;
  const to = LATENCY_BOUNDS_MS[bucket] ?? from;
  return Math.round(from + Math.max(0, share) * (to - from));
}
