import { countAfter, HELD_MARGIN_MS, type HeldUntil, holdFrom, latestOf } from './held-slots.ts';
import type { AllHeld, Hole, MapEncoder, OffsetMap } from './window-encoding.ts';
import { encodeRecord } from './window-entry.ts';

interface InheritedHole extends Hole {
  readonly heldUntil: HeldUntil | null;
}

/** What an earlier owner's map says of the records that we have not read yet. */
export class InheritedMap {
  /** Beyond it nothing is known. */
  readonly end: number;
  /** Nothing of it is held any more after this. */
  readonly heldUntilMs: number;
  /** The map had no room to say which slots were held: before `end` all may be. */
  readonly #allHeld: { readonly untilMs: number; readonly end: number };
  readonly #holes: readonly InheritedHole[];
  /** The first that does not end before the position. */
  #next = 0;

  constructor({ end, holes, allHeld }: OffsetMap, nowMs: number) {
    this.end = end;
    this.#allHeld =
      allHeld === null
        ? { untilMs: 0, end: 0 }
        : { untilMs: nowMs + allHeld.leftMs + HELD_MARGIN_MS, end: allHeld.end };
    let latest = this.#allHeld.untilMs;
    this.#holes = holes.map((hole): InheritedHole => {
      if (hole.held === null) return { ...hole, heldUntil: null };
      const heldUntil = holdFrom(nowMs, hole.held, hole.slots);
      latest = Math.max(latest, latestOf(heldUntil));
      return { ...hole, heldUntil };
    });
    this.heldUntilMs = latest;
  }

  /** The lowest offset from the position on that is not known to be finished. */
  nextFrom(position: number): number {
    return Math.max(position, this.#holes[this.#next]?.start ?? this.end);
  }

  /** Null for a record of which nothing is known. */
  at(offset: number): InheritedHole | 'finished' | null {
    if (offset >= this.end) return null;
    let i = this.#next;
    while (i < this.#holes.length && endOf(this.#holes[i]!) <= offset) i++;
    const hole = this.#holes[i];
    return hole === undefined || hole.start > offset ? 'finished' : hole;
  }

  /** For a record that is not finished; a null hole: of which nothing is known. */
  heldUntilOf(offset: number, slots: number, hole: InheritedHole | null): HeldUntil | null {
    const { untilMs, end } = this.#allHeld;
    return offset < end ? new Float64Array(slots).fill(untilMs) : (hole?.heldUntil ?? null);
  }

  /** Of what was not read yet. */
  countHeld(position: number, nowMs: number): number {
    const { untilMs, end } = this.#allHeld;
    let held = nowMs < untilMs && position < end ? 1 : 0;
    for (const { heldUntil } of this.#holes.slice(this.#next)) held += countAfter(heldUntil, nowMs);
    return held;
  }

  /** Whether there is nothing more to know from the position on. */
  isOver(position: number): boolean {
    return position > this.end && position > this.#allHeld.end;
  }

  advance(position: number): void {
    while (this.#next < this.#holes.length && endOf(this.#holes[this.#next]!) <= position) this.#next++;
  }

  goBack(position: number): void {
    while (this.#next > 0 && endOf(this.#holes[this.#next - 1]!) > position) this.#next--;
  }

  /** What of it is left for the next owner; null when nothing is. */
  allHeld(nowMs: number): AllHeld | null {
    const { untilMs, end } = this.#allHeld;
    return nowMs < untilMs ? { leftMs: Math.max(0, untilMs - HELD_MARGIN_MS - nowMs), end } : null;
  }

  /** Says again what was not read yet; returns where the map ends. */
  encode(encoder: MapEncoder, position: number, nowMs: number): number {
    for (let i = this.#next; i < this.#holes.length; i++) {
      const { start, length, bits, slots, heldUntil } = this.#holes[i]!;
      const from = Math.max(start, position);
      if (from >= start + length) continue;
      if (bits === null) encoder.untouched(from, start + length - from);
      else encodeRecord(encoder, { offset: from, slots, bits, heldUntil }, nowMs);
    }
    return Math.max(this.end, position);
  }
}

const endOf = (hole: Hole): number => hole.start + hole.length;
