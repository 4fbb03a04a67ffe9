import { setTimeout as delay } from 'node:timers/promises';
import { nowMs } from '../now.ts';
import { type Latency, measureLatency } from './measure-latency.ts';
import type { Load } from './send-load.ts';
import type { Ground, Rig } from './start-rig.ts';

/** What the system is held to after the last fault is healed. */
export const RECOVER_WITHIN_MS = 60_000;
/** Latency is back when a window's p95 is at most this much over the baseline's. */
const WINDOW_MS = 3_000;
const TIMES_BASELINE = 3;
const OVER_BASELINE_MS = 150;
const POLL_MS = 500;

export interface Recovery {
  /** From the heal until latency was at its baseline; null when it never was. */
  readonly latencyBackMs: number | null;
  /** From the heal until no group had anything left; null when that was not in time. */
  readonly backlogZeroMs: number | null;
  readonly backlog: Readonly<Record<string, number>> | null;
}

export async function measureBaseline(rig: Rig<Ground>, windowMs = WINDOW_MS): Promise<Latency> {
  const untilMs = nowMs();
  const arrivals = await rig.receiver.arrivals();
  return measureLatency(rig.events.sent, arrivals, { label: 'prompt', fromMs: untilMs - windowMs, untilMs });
}

/** Keeps the load going until latency is back, then stops it and waits until nothing is left to do. */
export async function recover(rig: Rig<Ground>, load: Load, baseline: Latency): Promise<Recovery> {
  const healedMs = nowMs();
  const latencyBackMs = await untilLatencyIsBack(rig, baseline, healedMs);
  await load.stop();
  const { backlogZeroMs, backlog } = await untilBacklogIsZero(rig, healedMs);
  return { latencyBackMs, backlogZeroMs, backlog };
}

async function untilLatencyIsBack(
  rig: Rig<Ground>,
  baseline: Latency,
  healedMs: number,
): Promise<number | null> {
  const limitMs = Math.max(TIMES_BASELINE * baseline.p95Ms, baseline.p95Ms + OVER_BASELINE_MS);
  while (nowMs() - healedMs < RECOVER_WITHIN_MS) {
    await delay(POLL_MS);
    // The youngest are left out: what has not arrived yet has no latency.
    const untilMs = nowMs() - limitMs;
    const fromMs = untilMs - WINDOW_MS;
    if (fromMs < healedMs) continue;
    const accepted = acceptedIn(rig, fromMs, untilMs);
    const arrivals = await rig.receiver.arrivals();
    const latency = measureLatency(rig.events.sent, arrivals, { label: 'prompt', fromMs, untilMs });
    if (accepted > 0 && latency.count >= accepted && latency.p95Ms <= limitMs) return nowMs() - healedMs;
  }
  return null;
}

function acceptedIn(rig: Rig<Ground>, fromMs: number, untilMs: number): number {
  const { sent } = rig.events;
  let accepted = 0;
  for (let index = sent.length - 1; index >= 0 && sent[index]!.sentAtMs >= fromMs; index--) {
    if (sent[index]!.sentAtMs < untilMs && sent[index]!.answered === 'ok') accepted += 1;
  }
  return accepted;
}

export async function untilBacklogIsZero(
  rig: Rig<Ground>,
  healedMs: number,
  withinMs = 2 * RECOVER_WITHIN_MS,
): Promise<Pick<Recovery, 'backlogZeroMs' | 'backlog'>> {
  let backlog: Recovery['backlog'] = null;
  while (nowMs() - healedMs < withinMs) {
    backlog = await rig.backlog.read();
    if (backlog && Object.values(backlog).every((lag) => lag <= 0))
      return { backlogZeroMs: nowMs() - healedMs, backlog };
    await delay(POLL_MS);
  }
  return { backlogZeroMs: null, backlog };
}
