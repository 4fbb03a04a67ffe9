/**
 * The states of a delivery and the one table of how it may change (docs/delivery-lifecycle.md is held against it by a
 * test). Journal entries race each other, so the recorder never applies a transition to what it finds: it keeps the
 * greatest standing. `standingOrder` is that order.
 */
export type DeliveryState = 'scheduled' | 'pending' | 'processing' | 'success' | 'failed' | 'cancelled';

export type TransitionReason =
  | 'dispatched'
  | 'scheduled'
  | 'attempt_failed'
  | 'attempt_succeeded'
  | 'dead_lettered'
  | 'cancelled'
  | 'replayed'
  | 'due';

export interface Transition {
  readonly from: DeliveryState | null;
  readonly reason: TransitionReason;
  readonly to: DeliveryState;
}

export const TRANSITIONS: readonly Transition[] = [
  { from: null, reason: 'dispatched', to: 'pending' },
  { from: null, reason: 'scheduled', to: 'scheduled' },
  { from: 'scheduled', reason: 'due', to: 'pending' },
  { from: 'scheduled', reason: 'cancelled', to: 'cancelled' },
  { from: 'pending', reason: 'attempt_failed', to: 'processing' },
  { from: 'pending', reason: 'attempt_succeeded', to: 'success' },
  { from: 'pending', reason: 'dead_lettered', to: 'failed' },
  { from: 'pending', reason: 'cancelled', to: 'cancelled' },
  { from: 'processing', reason: 'attempt_failed', to: 'processing' },
  { from: 'processing', reason: 'attempt_succeeded', to: 'success' },
  { from: 'processing', reason: 'dead_lettered', to: 'failed' },
  { from: 'processing', reason: 'cancelled', to: 'cancelled' },
  { from: 'failed', reason: 'replayed', to: 'pending' },
];

/** Where a delivery stands: its state with the round and attempt that put it there. */
export interface Standing {
  readonly state: DeliveryState;
  readonly round: number;
  readonly attempt: number;
}

const STATE_RANK: Readonly<Record<DeliveryState, number>> = {
  scheduled: 0,
  pending: 1,
  processing: 2,
  failed: 3,
  cancelled: 4,
  success: 5,
};

/**
 * The order of standings within one delivery (one run): success outranks everything of its run, cancelled all but
 * success, then the later round, then the later attempt, then the rank of the state. A number per standing, so that
 * SQL can compare it as one column: 2^53 holds round < 10^4 and attempt < 10^4.
 */
export function standingOrder(standing: Standing): number {
  const settled = standing.state === 'success' ? 2 : standing.state === 'cancelled' ? 1 : 0;
  const round = Math.min(standing.round, 9_999);
  const attempt = Math.min(standing.attempt, 9_999);
  return settled * 1e12 + round * 1e6 + attempt * 10 + STATE_RANK[standing.state];
}
