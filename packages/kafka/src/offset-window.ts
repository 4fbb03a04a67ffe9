import { countAfter, HELD_MARGIN_MS, type HeldUntil, latestOf } from './held-slots.ts';
import { InheritedMap } from './inherited-map.ts';
import { encodeSpan, PassedOver } from './passed-over.ts';
import { type AllHeld, MAX_MAP_CHARS, MapEncoder, type OffsetMap } from './window-encoding.ts';
import { encodeRecord, heldForMs, markDone, openEntry, type WindowEntry } from './window-entry.ts';

export interface WindowSnapshot {
  /** The lowest record with an unfinished slot. Never committed without its map. */
  readonly offset: number;
  readonly map: string;
  /** The map did not fit: after a crash some finished records above would be done again. */
  readonly truncated: boolean;
  /** Slots under way in records from here on could not be named as held. */
  readonly heldEnd: number;
}

/** Our own slots under way at a hand-over: by offset, and for each slot until when. */
export type UnderWay = ReadonlyMap<number, HeldUntil>;

/** A time at which no slot is held any more. */
const LONG_AFTER = Number.POSITIVE_INFINITY;

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
  #inherited: InheritedMap | null;
  #position: number;
  /** Null while reading. */
  #again: number | null = null;
  #addedAgain: WindowEntry | null = null;
  #gone = 0;
  /** Nothing that was inherited is held any more after this. */
  readonly #heldUntilMs: number;

  constructor(start: number, inherited: OffsetMap | null = null, nowMs = 0) {
    this.#position = start;
    this.#inherited = inherited === null ? null : new InheritedMap(inherited, nowMs);
    this.#heldUntilMs = this.#inherited?.heldUntilMs ?? 0;
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

  get passedOver(): number {
    return this.#passed.records;
  }

  /** How many passed-over records turned out to have left the log. */
  get gone(): number {
    return this.#gone;
  }

  /** The lowest offset that is not known to be finished. */
  get lowest(): number {
    const passed = this.#passed.spans[0]?.start ?? Number.POSITIVE_INFINITY;
    for (const offset of this.#inOrder().keys()) return Math.min(offset, passed);
    return Math.min(passed, this.#nextUnread);
  }

  /** The lowest offset from the cursor on that add() has to be asked for. */
  get nextUnfinished(): number {
    return this.#again ?? this.#nextUnread;
  }

  get #nextUnread(): number {
    return this.#inherited?.nextFrom(this.#position) ?? this.#position;
  }

  /** Of a record that is in hand; 0 of any other. */
  slotsAt(offset: number): number {
    return this.#unfinished.get(offset)?.slots ?? 0;
  }

  /** Null when it is finished or, below the position, in hand. */
  add(offset: number, slots: number): WindowEntry | null {
    if (offset < this.cursor) throw new RangeError(`offset ${offset} was added before ${this.cursor}`);
    if (offset < this.#position) return this.#addAgain(offset, slots);
    const hole = this.#inherited?.at(offset) ?? null;
    if (hole === 'finished') {
      this.moveTo(offset + 1);
      return null;
    }
    const heldUntil = this.#inherited?.heldUntilOf(offset, slots, hole) ?? null;
    this.moveTo(offset + 1);
    const entry = openEntry(offset, slots, hole?.bits ?? null, heldUntil);
    if (entry.remaining === 0) return null;
    this.#unfinished.set(offset, entry);
    return entry;
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
    this.#inherited?.goBack(offset);
  }

  /** Gives a record back: it stays unfinished. False when that was done already, or it is finished. */
  passOver(entry: WindowEntry): boolean {
    if (entry.passedOver || entry.remaining === 0) return false;
    entry.passedOver = true;
    this.#unfinished.delete(entry.offset);
    this.#passed.add(entry);
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
    this.#inherited?.advance(cursor);
    // The last record may yet be withdrawn, and its hole with it.
    if (this.#inherited?.isOver(cursor)) this.#inherited = null;
  }

  snapshot(maxChars = MAX_MAP_CHARS, nowMs = 0, underWay: UnderWay | null = null): WindowSnapshot {
    const allHeld = this.#inherited?.allHeld(nowMs) ?? null;
    if (allHeld !== null) return this.#snapshotAllHeld(maxChars, allHeld);
    const { lowest } = this;
    const snapshot = this.#encode(new MapEncoder(lowest, maxChars), lowest, nowMs, underWay);
    const anyHeld = underWay !== null || nowMs < this.#heldUntilMs;
    if (!snapshot.truncated || !anyHeld) return snapshot;
    // Rather than have one overtaken that is under way, hold for a while what need not be.
    return this.#snapshotAllHeld(maxChars, { leftMs: this.#longestHeldMs(nowMs, underWay), end: 0 });
  }

  #snapshotAllHeld(maxChars: number, { leftMs, end }: AllHeld): WindowSnapshot {
    const { lowest } = this;
    const encoder = new MapEncoder(lowest, maxChars);
    const heldEnd = Math.max(end, this.#position);
    encoder.allHeld({ leftMs, end: heldEnd });
    return { ...this.#encode(encoder, lowest, LONG_AFTER, null), heldEnd };
  }

  #encode(encoder: MapEncoder, offset: number, nowMs: number, underWay: UnderWay | null): WindowSnapshot {
    const { spans } = this.#passed;
    let next = 0;
    for (const entry of this.#inOrder().values()) {
      while (next < spans.length && spans[next]!.start < entry.offset)
        encodeSpan(encoder, spans[next++]!, nowMs);
      if (entry.heldUntil !== null || underWay !== null)
        encodeRecord(encoder, entry, nowMs, underWay?.get(entry.offset));
      else if (entry.bits === null) encoder.untouched(entry.offset);
      else encoder.partlyDone(entry.offset, entry.bits, entry.slots);
    }
    while (next < spans.length) encodeSpan(encoder, spans[next++]!, nowMs);
    const end = this.#inherited?.encode(encoder, this.#position, nowMs) ?? this.#position;
    const map = encoder.finish(end);
    const { truncated } = encoder;
    return { offset, map, truncated, heldEnd: truncated ? encoder.end : end };
  }

  /** Slots at which an earlier owner may still be, read or not; of a map that does not name them at least one. */
  countHeld(nowMs: number): number {
    if (nowMs >= this.#heldUntilMs) return 0;
    let held = this.#inherited?.countHeld(this.#position, nowMs) ?? 0;
    for (const { heldUntil } of this.#passed.spans) held += countAfter(heldUntil, nowMs);
    for (const entry of this.#unfinished.values()) {
      for (let slot = 0; slot < entry.slots; slot++) if (heldForMs(entry, slot, nowMs) > 0) held++;
    }
    return held;
  }

  #longestHeldMs(nowMs: number, underWay: UnderWay | null): number {
    let untilMs = this.#heldUntilMs - HELD_MARGIN_MS;
    for (const until of underWay?.values() ?? []) untilMs = Math.max(untilMs, latestOf(until));
    return Math.max(0, untilMs - nowMs);
  }

  #inOrder(): Map<number, WindowEntry> {
    if (this.#ascending) return this.#unfinished;
    const sorted = [...this.#unfinished.values()].sort((a, b) => a.offset - b.offset);
    this.#unfinished = new Map();
    for (const entry of sorted) this.#unfinished.set(entry.offset, entry);
    this.#ascending = true;
    return this.#unfinished;
  }
}
