import type { DeliveryState } from '@posthorn/contracts';

/** Where the latest run of a delivery stands, as the record has it. */
export interface LatestStanding {
  readonly run: number;
  readonly round: number;
  readonly state: DeliveryState;
}

export type ReplayRefusal = 'under_way' | 'unknown_delivery' | 'already_replayed' | 'not_missing';

export type ReplayDecision =
  | { readonly kind: 'next_round'; readonly run: number; readonly round: number }
  | { readonly kind: 'next_run'; readonly run: number; readonly round: 0 }
  /** Of what was never sent. */
  | { readonly kind: 'first'; readonly run: 0; readonly round: 0 }
  /** Nothing is recorded of it yet: ask again, within bounds. */
  | { readonly kind: 'unrecorded' }
  | { readonly kind: 'refused'; readonly reason: ReplayRefusal };

export interface ReplayWish {
  /** Where the delivery must stand, when it was asked for by where it stood. */
  readonly expect: { readonly run: number; readonly round: number } | null;
  /** Only what was never sent is asked for. */
  readonly missing: boolean;
}

/**
 * What a replay makes of a delivery: of a dead letter the next round of its run (same id), of a success or a cancelled
 * one a new run (new id, which receivers who deduplicate accept), of one still under way nothing.
 */
export function decideReplay(
  standing: LatestStanding | undefined,
  { expect, missing }: ReplayWish,
): ReplayDecision {
  if (missing) return standing ? refused('not_missing') : { kind: 'first', run: 0, round: 0 };
  if (!standing) return { kind: 'unrecorded' };
  const { run, round, state } = standing;
  if (expect && (expect.run !== run || expect.round !== round)) return refused('already_replayed');
  switch (state) {
    case 'failed':
      return { kind: 'next_round', run, round: round + 1 };
    case 'success':
    case 'cancelled':
      return { kind: 'next_run', run: run + 1, round: 0 };
    case 'scheduled':
    case 'pending':
    case 'processing':
      return refused('under_way');
    default:
      return state satisfies never;
  }
}

const refused = (reason: ReplayRefusal): ReplayDecision => ({ kind: 'refused', reason });
