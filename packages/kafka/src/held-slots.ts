/**
 * Slots that an earlier owner of a partition may still be at. In a commit they are durations, since clocks differ;
 * in memory they are points on our monotonic clock, one per slot, 0 for a slot that is not held.
 */

/** A slot and the time its owner had left for it when he committed. */
export interface HeldSlot {
  readonly slot: number;
  readonly leftMs: number;
}

export type HeldUntil = Float64Array;

/** Added by the new owner: what the old one does in its last moment arrives a little later. */
export const HELD_MARGIN_MS = 1_000;
/** No attempt takes as long; a mark that says more is cut. */
export const MAX_HELD_MS = 240_000;

export function holdFrom(nowMs: number, held: readonly HeldSlot[], slots: number): HeldUntil {
  const until = new Float64Array(slots);
  for (const { slot, leftMs } of held) until[slot] = nowMs + leftMs + HELD_MARGIN_MS;
  return until;
}

export function countAfter(until: HeldUntil | null, nowMs: number): number {
  return until === null ? 0 : until.filter((each) => each > nowMs).length;
}

export function latestOf(until: HeldUntil): number {
  let latest = 0;
  for (const each of until) if (each > latest) latest = each;
  return latest;
}

/** What a commit says of one record: our own slots under way (`own`, without a margin), and what we inherited. */
export function heldSlots(
  slots: number,
  isDone: (slot: number) => boolean,
  nowMs: number,
  inherited: HeldUntil | null,
  own: HeldUntil | null,
): HeldSlot[] {
  const held: HeldSlot[] = [];
  for (let slot = 0; slot < slots; slot++) {
    const theirs = inherited?.[slot] ?? 0;
    const ours = own?.[slot] ?? 0;
    if ((theirs <= nowMs && ours === 0) || isDone(slot)) continue;
    const untilMs = Math.max(theirs - HELD_MARGIN_MS, ours);
    held.push({ slot, leftMs: Math.max(0, untilMs - nowMs) });
  }
  return held;
}
