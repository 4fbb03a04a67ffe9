import { type HeldUntil, heldSlots, holdFrom, latestOf } from './held-slots.ts';
import { PassedOver } from './passed-over.ts';
import { type Hole, MAX_MAP_CHARS, MapEncoder, type OffsetMap } from './window-encoding.ts';

/** A record that was handed on and has at least one slot to finish. */
export interface WindowEntry {
  readonly offset: number;
  readonly slots: number;
  remaining: number;
  /** Allocated when the first of several slots is done. */
  bits: Uint8Array | null;
  /** Null when no earlier owner was at it. */
  readonly heldUntil: HeldUntil | null;
  /** Given back or withdrawn: unfinished, and no longer this entry's. */
  passedOver: boolean;
}

export interface WindowSnapshot {
  /** The lowest record with an unfinished slot. Never committed without its map. */
  readonly offset: number;
  readonly map: string;
  /** The map did not fit: after a crash some finished records above would be done again. */
  readonly truncated: boolean;
  /** Of records from here on the map says nothing. */
  readonly end: number;
}

/** Our own slots under way, by offset, at a hand-over. */
export type UnderWay = ReadonlyMap<number, HeldUntil>;

interface InheritedHole extends Hole {
  readonly heldUntil: HeldUntil | null;
}

const NOTHING_UNDER_WAY: UnderWay = new Map();

/**
 * Which records of one partition are finished. Records come in ascending order and finish in any; offsets that never
 * come (they are gaps of the log) count as finished. What an earlier owner finished above his committed offset is
 * known from his map, and stays known until the position has passed it.
 * Modes: reading (the cursor is the position) ↔ rereading (the cursor is below it, and only what was passed over is
 * added), by reread() and by the last such record.
 */
export class OffsetWindow {
  #unfinished = new Map<number, WindowEntry>();
  /** False after a rereading added records below others. */
  #ascending = true;
  readonly #passed = new PassedOver();
  #inherited: { readonly end: number; readonly holes: readonly InheritedHole[] } | null;
  /** The first inherited hole that does not end before the position. */
  #nextHole = 0;
  #position: number;
  /** Null while reading. */
  #again: number | null = null;
  #addedAgain: WindowEntry | null = null;
  #gone = 0;
  /** Nothing is held any more after this. */
  #heldUntilMs = 0;

  constructor(start: number, inherited: OffsetMap | null = null, nowMs = 0) {
    this.#position = start;
    this.#inherited = inherited === null ? null : this.#inherit(inherited, nowMs);
  }

  /** The next offset that is new to add(), or a later one. */
  get position(): number {
    return this.#position;
  }

  /** The next offset that add() expects, or a later one. */
  get cursor(): number {
    return this.#again ?? this.#position;
  }

  get rereading(): boolean {
    return this.#again !== null;
  }

  /** Of a record that is in hand; 0 of any other. */
  slotsAt(offset: number): number {
    return this.#unfinished.get(offset)?.slots ?? 0;
  }

  /** How many passed-over records turned out to have left the log. */
  get gone(): number {
    return this.#gone;
  }

  get passedOver(): number {
    return this.#passed.records;
  }

  /** The lowest offset that is not known to be finished. */
  get lowest(): number {
    const passed = this.#passed.spans[0]?.start ?? Number.POSITIVE_INFINITY;
    for (const offset of this.#inOrder().keys()) return Math.min(offset, passed);
    return Math.min(passed, this.#nextUnread);
  }

  /** The lowest offset from the cursor on that add() has to be asked for. */
  get nextUnfinished(): number {
    return this.#again === null ? this.#nextUnread : (this.#passed.firstFrom(this.#again) ?? this.#position);
  }

  get #nextUnread(): number {
    if (this.#inherited === null) return this.#position;
    const hole = this.#inherited.holes[this.#nextHole];
    return Math.max(this.#position, hole === undefined ? this.#inherited.end : hole.start);
  }

  /** Null when it is finished, or (below the position) held. */
  add(offset: number, slots: number): WindowEntry | null {
    if (offset < this.cursor) throw new RangeError(`offset ${offset} was added before ${this.cursor}`);
    if (offset < this.#position) return this.#addAgain(offset, slots);
    const hole = this.#inheritedHoleAt(offset);
    this.moveTo(offset + 1);
    if (hole === 'finished') return null;
    const entry = openEntry(offset, slots, hole?.bits ?? null, hole?.heldUntil ?? null);
    if (entry.remaining === 0) return null;
    this.#unfinished.set(offset, entry);
    return entry;
  }

  /** Takes back the last one that was added: it was refused and will come again, as another entry. */
  withdraw(entry: WindowEntry): void {
    const { offset } = entry;
    if (entry === this.#addedAgain) {
      this.passOver(entry);
      this.#again = Math.min(offset, this.cursor);
      return;
    }
    if (offset !== this.#position - 1) throw new RangeError('only the last record can be withdrawn');
    entry.passedOver = true;
    this.#unfinished.delete(offset);
    this.#position = offset;
    const holes = this.#inherited?.holes ?? [];
    while (this.#nextHole > 0 && endOf(holes[this.#nextHole - 1]!) > offset) this.#nextHole--;
  }

  /** Gives a record back: it stays unfinished. False when that was done already, or it is finished. */
  passOver(entry: WindowEntry): boolean {
    if (entry.passedOver || entry.remaining === 0) return false;
    entry.passedOver = true;
    this.#unfinished.delete(entry.offset);
    this.#passed.add(entry.offset, entry.bits, entry.heldUntil);
    return true;
  }

  /** From now on what was passed over at or after the offset is added again, up to the position. */
  reread(offset: number): void {
    this.#again = offset < this.#position ? this.#passed.firstFrom(offset) : null;
  }

  /** Without a slot: all of them. False when that was done already. */
  complete(entry: WindowEntry, slot?: number): boolean {
    if (entry.remaining === 0 || entry.passedOver) return false;
    if (slot === undefined) entry.remaining = 0;
    else if (!markDone(entry, slot)) return false;
    if (entry.remaining === 0) this.#unfinished.delete(entry.offset);
    return true;
  }

  /** Passes over offsets that need not or cannot be read. */
  moveTo(cursor: number): void {
    if (this.#again !== null) {
      this.#gone += this.#passed.drop(this.#again, Math.min(cursor, this.#position));
      this.reread(cursor);
      if (cursor <= this.#position) return;
    }
    this.#position = cursor;
    if (this.#inherited === null) return;
    const { holes, end } = this.#inherited;
    while (this.#nextHole < holes.length && endOf(holes[this.#nextHole]!) <= cursor) this.#nextHole++;
    // The last record may yet be withdrawn, and its hole with it.
    if (cursor > end) {
      this.#inherited = null;
      this.#nextHole = 0;
    }
  }

  snapshot(maxChars = MAX_MAP_CHARS, nowMs = 0, underWay = NOTHING_UNDER_WAY): WindowSnapshot {
    const offset = this.lowest;
    const encoder = new MapEncoder(offset, maxChars);
    const anyHeld = underWay.size > 0 || nowMs < this.#heldUntilMs;
    const { spans } = this.#passed;
    let next = 0;
    for (const { offset, slots, bits, heldUntil } of this.#unfinished.values()) {
      while (next < spans.length && spans[next]!.start < offset)
        this.#encodeSpan(encoder, spans[next++]!, nowMs);
      const own = anyHeld ? (underWay.get(offset) ?? null) : null;
      const until = anyHeld ? heldUntil : null;
      encode(encoder, { offset, slots, bits, heldUntil: until }, nowMs, own);
    }
    while (next < spans.length) this.#encodeSpan(encoder, spans[next++]!, nowMs);
    const map = encoder.finish(this.#addInheritedHoles(encoder, nowMs));
    return { offset, map, truncated: encoder.truncated, end: encoder.end };
  }

  /** Slots at which an earlier owner may still be. */
  countHeld(nowMs: number): number {
    if (nowMs >= this.#heldUntilMs) return 0;
    let held = 0;
    for (const entry of this.#unfinished.values()) {
      for (let slot = 0; slot < entry.slots; slot++) if (heldForMs(entry, slot, nowMs) > 0) held++;
    }
    return held;
  }

  #encodeSpan(encoder: MapEncoder, span: PassedOver['spans'][number], nowMs: number): void {
    const { start, end, bits, heldUntil } = span;
    if (bits === null && heldUntil === null) encoder.untouched(start, end - start);
    else encode(encoder, { offset: start, slots: slotsOf(bits, heldUntil), bits, heldUntil }, nowMs, null);
  }

  #addAgain(offset: number, slots: number): WindowEntry | null {
    const span = this.#passed.take(offset);
    this.moveTo(offset + 1);
    if (span === null) return null;
    const entry = openEntry(offset, slots, span.bits, span.heldUntil);
    if (entry.remaining === 0) return null;
    this.#addedAgain = entry;
    this.#unfinished.set(offset, entry);
    this.#ascending = this.#unfinished.size === 1;
    return entry;
  }

  #inOrder(): Map<number, WindowEntry> {
    if (this.#ascending) return this.#unfinished;
    this.#unfinished = new Map([...this.#unfinished].sort(([a], [b]) => a - b));
    this.#ascending = true;
    return this.#unfinished;
  }

  #inherit({ end, holes }: OffsetMap, nowMs: number) {
    const withTimes = holes.map((hole): InheritedHole => {
      const { bits, held } = hole;
      if (held === null) return { ...hole, heldUntil: null };
      const heldUntil = holdFrom(nowMs, held, slotsOf(bits, null));
      this.#heldUntilMs = Math.max(this.#heldUntilMs, latestOf(heldUntil));
      return { ...hole, heldUntil };
    });
    return { end, holes: withTimes };
  }

  /** Returns where the map ends. */
  #addInheritedHoles(encoder: MapEncoder, nowMs: number): number {
    if (this.#inherited === null || this.#inherited.end <= this.#position) return this.#position;
    const { holes, end } = this.#inherited;
    for (let i = this.#nextHole; i < holes.length; i++) {
      const { start, length, bits, heldUntil } = holes[i]!;
      const from = Math.max(start, this.#position);
      if (from >= start + length) continue;
      if (bits === null) encoder.untouched(from, start + length - from);
      else encode(encoder, { offset: from, slots: bits.length * 8, bits, heldUntil }, nowMs, null);
    }
    return end;
  }

  #inheritedHoleAt(offset: number): InheritedHole | 'finished' | null {
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
  return isBitSet(entry.bits, slot);
}

export function heldForMs(entry: WindowEntry, slot: number, nowMs: number): number {
  if (entry.heldUntil === null || isSlotDone(entry, slot)) return 0;
  return Math.max(0, (entry.heldUntil[slot] ?? 0) - nowMs);
}

type Unfinished = Pick<WindowEntry, 'offset' | 'slots' | 'bits' | 'heldUntil'>;

function encode(
  encoder: MapEncoder,
  { offset, slots, bits, heldUntil }: Unfinished,
  nowMs: number,
  own: HeldUntil | null,
): void {
  if (heldUntil !== null || own !== null) {
    const held = heldSlots(slots, (slot) => isBitSet(bits, slot), nowMs, heldUntil, own);
    if (held.length > 0) {
      encoder.held(offset, bits, slots, held);
      return;
    }
  }
  if (bits === null) encoder.untouched(offset);
  else encoder.partlyDone(offset, bits, slots);
}

function openEntry(
  offset: number,
  slots: number,
  bits: Uint8Array | null,
  heldUntil: HeldUntil | null,
): WindowEntry {
  const entry: WindowEntry = { offset, slots, remaining: slots, bits: null, heldUntil, passedOver: false };
  if (bits !== null) takeOverBits(entry, bits);
  return entry;
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

const slotsOf = (bits: Uint8Array | null, heldUntil: HeldUntil | null): number =>
  bits === null ? (heldUntil?.length ?? 0) : bits.length * 8;

const isBitSet = (bits: Uint8Array | null, slot: number): boolean =>
  bits !== null && (bits[slot >> 3]! & (1 << (slot & 7))) !== 0;

const endOf = (hole: Hole): number => hole.start + hole.length;
