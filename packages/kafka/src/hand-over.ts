import type { SlotPlace, SlotUnderWay } from './consumer.ts';
import { type HeldUntil, MAX_HELD_MS } from './held-slots.ts';
import type { UnderWay } from './offset-window.ts';
import type { WindowEntry } from './window-entry.ts';

/**
 * Our slots under way as a last commit names them, from that commit until the partition is lost or kept.
 * Modes: gathered → said (a commit with them is on its way) → acknowledged (the next owner leaves them alone for as
 * long). A commit that was on its way before they were said acknowledges nothing of them.
 */
export class HandOver {
  readonly underWay: UnderWay;
  readonly #settledSince: SlotPlace[] = [];
  #end = 0;
  #acknowledged = false;

  /** Null when nothing is under way. */
  static of(
    slots: Iterable<SlotUnderWay>,
    nowMs: number,
    slotsOf: (offset: number) => number,
  ): HandOver | null {
    const underWay = new Map<number, HeldUntil>();
    for (const { offset, slot, leftMs } of slots) {
      const count = slotsOf(offset);
      if (slot >= count) continue;
      const until = underWay.get(offset) ?? new Float64Array(count);
      until[slot] = nowMs + Math.min(MAX_HELD_MS, Math.max(0, leftMs));
      underWay.set(offset, until);
    }
    return underWay.size === 0 ? null : new HandOver(underWay);
  }

  private constructor(underWay: UnderWay) {
    this.underWay = underWay;
  }

  /** A commit was prepared: it says what is finished by now, and the marks of records before `end`. */
  said(end: number): void {
    this.#end = end;
    this.#settledSince.length = 0;
  }

  acknowledge(): void {
    if (this.#end > 0) this.#acknowledged = true;
  }

  /** Called before the entry is completed. */
  settle({ offset, slots }: WindowEntry, slot: number | undefined, isDone: (slot: number) => boolean): void {
    const [from, to] = slot === undefined ? [0, slots] : [slot, slot + 1];
    for (let each = from; each < to; each++) {
      if (this.#isMarked(offset, each) && !isDone(each)) this.#settledSince.push({ offset, slot: each });
    }
  }

  get settledSince(): readonly SlotPlace[] {
    return this.#acknowledged ? this.#settledSince : [];
  }

  mayStillSettle(offset: number, slot: number, nowMs: number): boolean {
    return this.#acknowledged && this.#isMarked(offset, slot) && nowMs < this.underWay.get(offset)![slot]!;
  }

  #isMarked(offset: number, slot: number): boolean {
    return offset < this.#end && (this.underWay.get(offset)?.[slot] ?? 0) > 0;
  }
}
