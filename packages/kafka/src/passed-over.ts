import type { HeldUntil } from './held-slots.ts';
import type { MapEncoder } from './window-encoding.ts';
import { encodeRecord, type WindowEntry } from './window-entry.ts';

/** Unfinished records that nobody holds: a run of untouched ones, or a single one that an earlier owner had begun. */
export interface Span {
  start: number;
  end: number;
  readonly slots: number;
  readonly bits: Uint8Array | null;
  readonly heldUntil: HeldUntil | null;
}

const isPlain = ({ bits, heldUntil }: Span): boolean => bits === null && heldUntil === null;

/** The passed-over records of one partition, ascending; neighbours are one run, so that a million cost next to nothing. */
export class PassedOver {
  readonly #spans: Span[] = [];
  #records = 0;

  get records(): number {
    return this.#records;
  }

  get spans(): readonly Readonly<Span>[] {
    return this.#spans;
  }

  /** The first one at or after the offset. */
  firstFrom(offset: number): number | null {
    const span = this.#spans[this.#indexOf(offset)];
    return span === undefined ? null : Math.max(span.start, offset);
  }

  add({ offset, slots, bits, heldUntil }: WindowEntry): void {
    const span = { start: offset, end: offset + 1, slots, bits, heldUntil };
    const at = this.#indexOf(offset);
    this.#records++;
    if (!isPlain(span)) {
      this.#spans.splice(at, 0, span);
      return;
    }
    const before = this.#spans[at - 1];
    const after = this.#spans[at];
    const joinsBefore = before !== undefined && before.end === offset && isPlain(before);
    const joinsAfter = after !== undefined && after.start === offset + 1 && isPlain(after);
    if (joinsBefore && joinsAfter) {
      before.end = after.end;
      this.#spans.splice(at, 1);
    } else if (joinsBefore) before.end++;
    else if (joinsAfter) after.start--;
    else this.#spans.splice(at, 0, span);
  }

  /** Takes one out; null when it was not passed over. */
  take(offset: number): Readonly<Span> | null {
    const span = this.#spans[this.#indexOf(offset)];
    if (span === undefined || span.start > offset) return null;
    this.drop(offset, offset + 1);
    return span;
  }

  /** Takes out all from `from` to before `to`; returns how many they were. */
  drop(from: number, to: number): number {
    let dropped = 0;
    for (let at = this.#indexOf(from); at < this.#spans.length; ) {
      const span = this.#spans[at]!;
      if (span.start >= to) break;
      const [start, end] = [Math.max(span.start, from), Math.min(span.end, to)];
      dropped += end - start;
      const rest: Span[] = [];
      if (span.start < start) rest.push({ ...span, end: start });
      if (end < span.end) rest.push({ ...span, start: end });
      this.#spans.splice(at, 1, ...rest);
      if (end === to) break;
      at += rest.length;
    }
    this.#records -= dropped;
    return dropped;
  }

  /** Of the first span that does not end before or at the offset. */
  #indexOf(offset: number): number {
    const last = this.#spans.at(-1);
    if (last === undefined || last.end <= offset) return this.#spans.length;
    let [low, high] = [0, this.#spans.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#spans[middle]!.end <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export function encodeSpan(encoder: MapEncoder, span: Readonly<Span>, nowMs: number): void {
  const { start, end } = span;
  if (isPlain(span)) encoder.untouched(start, end - start);
  else encodeRecord(encoder, { ...span, offset: start }, nowMs);
}
