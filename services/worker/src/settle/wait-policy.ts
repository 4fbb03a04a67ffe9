import { jitter } from '@posthorn/contracts';
import type { RoundLimits } from './made.ts';

/** How long wait slots that cannot be tried now although their tenant is known. */
export interface WaitPolicy {
  /** For endpoints without a schedule of their own. */
  readonly scheduleMs: readonly number[];
  readonly jitterPercent: number;
  readonly circuitLeastWaitMs: number;
  readonly circuitMaxWaitMs: number;
  readonly circuitLeastBudgetMs: number;
  readonly pauseFirstWaitMs: number;
  readonly pauseMaxWaitMs: number;
}

/** How long a round may wait for circuits: the span of its schedule, where that is not too short. */
export function circuitBudgetMs(policy: WaitPolicy, limits: RoundLimits): number {
  const schedule = limits.scheduleMs ?? policy.scheduleMs;
  const spanMs = schedule.reduce((sum, delayMs) => sum + delayMs, 0);
  return Math.max(Math.min(spanMs, limits.maxRetryMs ?? spanMs), policy.circuitLeastBudgetMs);
}

export interface CircuitWait {
  readonly probeInMs: number;
  /** What the round has waited for circuits before. */
  readonly waitedMs: number;
  readonly budgetMs: number;
  /** Slots that are turned away together come back apart: by a hash of this. */
  readonly key: string;
}

/**
 * The next wait for an open circuit: until the next probe, and at least as long as all waits before it together, so
 * that they double. Null when the budget is used up. All waits of a round together never exceed it.
 */
export function circuitWaitMs(policy: WaitPolicy, wait: CircuitWait): number | null {
  const leftMs = wait.budgetMs - wait.waitedMs;
  if (leftMs <= 0) return null;
  const leastMs = Math.ceil(Math.max(wait.probeInMs, wait.waitedMs + policy.circuitLeastWaitMs));
  // Spread to one side: earlier than the probe would be a wait for nothing.
  const spreadMs = leastMs + Math.abs(jitter(leastMs, policy.jitterPercent, wait.key) - leastMs);
  return Math.max(1, Math.min(spreadMs, policy.circuitMaxWaitMs, leftMs));
}

/** How long waits what is for a paused endpoint and was put aside `bounces` times before. */
export function pauseWaitMs(policy: WaitPolicy, bounces: number, key: string): number {
  const delayMs = Math.min(policy.pauseFirstWaitMs * 2 ** bounces, policy.pauseMaxWaitMs);
  return jitter(delayMs, policy.jitterPercent, key);
}
