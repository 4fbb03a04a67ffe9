import type { Arrival, SentEvent } from '../oracle/ledgers.ts';

export interface Latency {
  readonly count: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

/** From when an event was posted to its first request, at paths that end in `label`, of events posted in the window. */
export function measureLatency(
  sent: readonly SentEvent[],
  arrivals: readonly Arrival[],
  window: { readonly label: string; readonly fromMs: number; readonly untilMs: number },
): Latency {
  const posted = new Map<string, number>();
  for (let index = sent.length - 1; index >= 0; index--) {
    const { sentAtMs, hash } = sent[index]!;
    if (sentAtMs < window.fromMs) break;
    if (sentAtMs < window.untilMs) posted.set(hash, sentAtMs);
  }
  const latencies: number[] = [];
  for (let index = arrivals.length - 1; index >= 0; index--) {
    const { atMs, attempt, run, path, hash } = arrivals[index]!;
    if (atMs < window.fromMs) break;
    const sentAtMs = posted.get(hash);
    if (sentAtMs !== undefined && attempt === 1 && run === 0 && path.endsWith(window.label))
      latencies.push(atMs - sentAtMs);
  }
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(share * latencies.length)] ?? Number.POSITIVE_INFINITY;
  return { count: latencies.length, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) };
}
