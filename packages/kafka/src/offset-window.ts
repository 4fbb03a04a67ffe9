import { type Hole, MAX_MAP_CHARS, MapEncoder, type OffsetMap } from './window-encoding.ts';

/** A record that was handed on and has at least one slot to finish. */
export interface WindowEntry {
  readonly offset: number;
  readonly slots: number;
  remaining: number;
  /** Allocated when the first of several slots is done. */
  bits: Uint8Array | null;
}

export interface WindowSnapshot {
  /** The lowest record with an unfinished slot. Never committed without its map. */
  readonly offset: number;
  readonly map: string;
  /** The map did not fit: after a crash some finished records above would be done again. */
  readonly truncated: boolean;
}

/**
 * Which records of one partition are finished. Records come in ascending order and finish in any; offsets that never
 * come (they are gaps of the log) count as finished. What an earlier owner finished above his committed offset is
 * known from his map, and stays known until the position has passed it.
 */
export class OffsetWindow {
  readonly #unfinished = new Map<number, WindowEntry>();
  #inherited: OffsetMap | null;
  /** The first inherited hole that does not end before the position. */
  #nextHole = 0;
  #position: number;

  constructor(start: number, inherited: OffsetMap | null = null) {
    this.#position = start;
    this.#inherited = inherited;
  }

  /** The next offset that add() expects, or a later one. */
  get position(): number {
    return this.#position;
  }

  get unfinished(): number {
    return this.#unfinished.size;
  }

  /** The lowest offset that is not known to be finished. */
  get lowest(): number {
    for (const offset of this.#unfinished.keys()) return offset;
    return this.nextUnfinished;
  }

  /** The lowest offset from the position on that is not known to be finished. */
  get nextUnfinished(): number {
    if (this.#inherited === null) return this.#position;
    const hole = this.#inherited.holes[this.#nextHole];
    return Math.max(this.#position, hole === undefined ? this.#inherited.end : hole.start);
  }

  /** Null when an earlier owner has finished it. */
  add(offset: number, slots: number): WindowEntry | null {
    if (offset < this.#position) throw new RangeError(`offset ${offset} was added before ${this.#position}`);
    const hole = this.#inheritedHoleAt(offset);
    this.moveTo(offset + 1);
    if (hole === 'finished') return null;
    const entry = { offset, slots, remaining: slots, bits: null };
    if (hole?.bits != null) takeOverBits(entry, hole.bits);
    if (entry.remaining === 0) return null;
    this.#unfinished.set(offset, entry);
    return entry;
  }

  /** Takes back the last one that was added: it was refused and will come again. */
  withdraw(entry: WindowEntry): void {
    if (entry.offset !== this.#position - 1) throw new RangeError('only the last record can be withdrawn');
    this.#unfinished.delete(entry.offset);
    this.#position = entry.offset;
    const holes = this.#inherited?.holes ?? [];
    while (this.#nextHole > 0 && endOf(holes[this.#nextHole - 1]!) > entry.offset) this.#nextHole--;
  }

  /** Without a slot: all of them. False when that was done already. */
  complete(entry: WindowEntry, slot?: number): boolean {
    if (entry.remaining === 0) return false;
    if (slot === undefined) entry.remaining = 0;
    else if (!markDone(entry, slot)) return false;
    if (entry.remaining === 0) this.#unfinished.delete(entry.offset);
    return true;
  }

  /** Passes over offsets that need not or cannot be read. */
  moveTo(position: number): void {
    this.#position = position;
    if (this.#inherited === null) return;
    const { holes, end } = this.#inherited;
    while (this.#nextHole < holes.length && endOf(holes[this.#nextHole]!) <= position) this.#nextHole++;
    // The last record may yet be withdrawn, and its hole with it.
    if (position > end) {
      this.#inherited = null;
      this.#nextHole = 0;
    }
  }

  snapshot(maxChars = MAX_MAP_CHARS): WindowSnapshot {
    const offset = this.lowest;
    const encoder = new MapEncoder(offset, maxChars);
    for (const { offset, slots, bits } of this.#unfinished.values()) {
      if (bits === null) encoder.untouched(offset);
      else encoder.partlyDone(offset, bits, slots);
    }
    const map = encoder.finish(this.#addInheritedHoles(encoder));
    return { offset, map, truncated: encoder.truncated };
  }

  /** Returns where the map ends. */
  #addInheritedHoles(encoder: MapEncoder): number {
    if (this.#inherited === null || this.#inherited.end <= this.#position) return this.#position;
    const { holes, end } = this.#inherited;
    for (let i = this.#nextHole; i < holes.length; i++) {
      const { start, length, bits } = holes[i]!;
      const from = Math.max(start, this.#position);
      if (from >= start + length) continue;
      if (bits === null) encoder.untouched(from, start + length - from);
      else encoder.partlyDone(from, bits, bits.length * 8);
    }
    return end;
  }

  #inheritedHoleAt(offset: number): Hole | 'finished' | null {
    if (this.#inherited === null || offset >= this.#inherited.end) return null;
    const { holes } = this.#inherited;
    let i = this.#nextHole;
    while (i < holes.length && endOf(holes[i]!) <= offset) i++;
    const hole = holes[i];
    return hole === undefined || hole.start > offset ? 'finished' : hole;
  }
}

export function isSlotDone(entry: WindowEntry, slot: number): boolean {
  if (entry.remaining === 0) return true;
  return entry.bits !== null && (entry.bits[slot >> 3]! & (1 << (slot & 7))) !== 0;
}

function markDone(entry: WindowEntry, slot: number): boolean {
  if (slot < 0 || slot >= entry.slots) throw new RangeError(`slot ${slot} of ${entry.slots}`);
  if (isSlotDone(entry, slot)) return false;
  if (--entry.remaining > 0) {
    entry.bits ??= new Uint8Array(Math.ceil(entry.slots / 8));
    entry.bits[slot >> 3]! |= 1 << (slot & 7);
  }
  return true;
}

function takeOverBits(entry: WindowEntry, bits: Uint8Array): void {
  for (let slot = 0; slot < entry.slots && slot < bits.length * 8; slot++) {
    if ((bits[slot >> 3]! & (1 << (slot & 7))) !== 0) markDone(entry, slot);
  }
}

const endOf = (hole: Hole): number => hole.start + hole.length;
