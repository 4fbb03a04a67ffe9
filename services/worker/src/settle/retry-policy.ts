import { type DeadLetterReason, FAILURE_KIND, jitter, type Outcome } from '@posthorn/contracts';
import type { RoundLimits } from './made.ts';

export type Failure = Extract<Outcome, { kind: 'failure' }>;

export interface RetryPolicy {
  /** Waits after the first, second, … failed attempt of an endpoint without a schedule of its own. */
  readonly scheduleMs: readonly number[];
  readonly jitterPercent: number;
}

export type NextStep =
  | { readonly kind: 'retry'; readonly delayMs: number }
  | { readonly kind: 'dead_letter'; readonly reason: DeadLetterReason };

/** Which attempt of which delivery failed, and within which limits it is tried again. */
export interface FailedAttempt extends RoundLimits {
  readonly deliveryId: string;
  readonly run: number;
  readonly round: number;
  /** From 1 within its round. */
  readonly attempt: number;
  /** Waits and attempts of the round until now, this one included. */
  readonly spentMs: number;
}

/**
 * What follows a failure. The wait is spread by a hash of the attempt, so that twins of one delivery wait alike; what
 * the receiver asked for (Retry-After) is the least it gets, and is not spread. A wait that would go beyond the round's time budget is not begun.
 */
export function decideNext(policy: RetryPolicy, failed: FailedAttempt, failure: Failure): NextStep {
  if (FAILURE_KIND[failure.failure] === 'permanent') {
    return { kind: 'dead_letter', reason: permanentReason(failure) };
  }
  const schedule = failed.scheduleMs ?? policy.scheduleMs;
  const delayMs = schedule[failed.attempt - 1];
  if (delayMs === undefined) return { kind: 'dead_letter', reason: 'attempts_exhausted' };
  const key = `${failed.deliveryId}|${failed.run}|${failed.round}|${failed.attempt}`;
  const waitMs = Math.max(jitter(delayMs, policy.jitterPercent, key), failure.retryAfterMs ?? 0);
  // Not after the wait: nobody is served by a dead letter that comes late.
  if (failed.maxRetryMs !== null && failed.spentMs + waitMs > failed.maxRetryMs) {
    return { kind: 'dead_letter', reason: 'time_exhausted' };
  }
  return { kind: 'retry', delayMs: waitMs };
}

function permanentReason(failure: Failure): DeadLetterReason {
  return failure.failure === 'invalid_endpoint' ? 'invalid_endpoint' : 'endpoint_gone';
}
