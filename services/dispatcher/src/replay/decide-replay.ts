import type { DeliveryState } from '@posthorn/contracts';

/** Where the latest run of a delivery stands, as the record has it. */
export interface LatestStanding {
  readonly run: number;
  readonly round: number;
  readonly state: DeliveryState;
}

export type ReplayRefusal = 'under_way' | 'unknown_delivery' | 'already_replayed';

export type ReplayDecision =
  | { readonly kind: 'next_round'; readonly run: number; readonly round: number }
  | { readonly kind: 'next_run'; readonly run: number; readonly round: 0 }
  /** Nothing is recorded of it yet: ask again, within bounds. */
  | { readonly kind: 'wait' }
  | { readonly kind: 'refused'; readonly reason: ReplayRefusal };

/**
 * What a replay makes of a delivery: of a dead letter the next round of its run (same id), of a success or a cancelled
 * one a new run (new id, which receivers who deduplicate accept), of one still under way nothing.
 */
export function decideReplay(standing: LatestStanding | undefined, mayWait: boolean): ReplayDecision {
  if (!standing) return mayWait ? { kind: 'wait' } : { kind: 'refused', reason: 'unknown_delivery' };
  switch (standing.state) {
    case 'failed':
      return { kind: 'next_round', run: standing.run, round: standing.round + 1 };
    case 'success':
    case 'cancelled':
      return { kind: 'next_run', run: standing.run + 1, round: 0 };
    case 'scheduled':
    case 'pending':
    case 'processing':
      return { kind: 'refused', reason: 'under_way' };
    default:
      return standing.state satisfies never;
  }
}
