import { crc32 } from 'node:zlib';
import { type HeldSlot, MAX_HELD_MS } from './held-slots.ts';

/**
 * The map that travels as a commit's metadata: of the records from the committed offset to `end` all are finished but
 * the holes. Beyond `end` nothing is known, so nothing is finished there.
 *
 * base64 of: version (1 byte), CRC-32 (4 bytes, over the version, the committed offset and the body), body.
 * Body: the finished records between the last hole and the end, then per hole `finished before it * 4 + kind`.
 * Kind 0 is one untouched record; 1 a run of them (its length - 2 follows); 2 one record partly done (its slots and
 * their bits follow); 3 one record at which the owner still was when he handed the partition over (its slots, the bits
 * of those done, the bits of those held, and for each held one the time it had left, in ticks of 16 ms, rounded up). As
 * the first hole, with no slots, 3 is no record: one such time, and over how many offsets any slot that is not finished
 * may be held for that long, known or not. That is for maps without the room to name them.
 * Numbers are unsigned LEB128.
 *
 * A map with kind 3 is of version 2, any other of version 1: who knows version 1 alone reads the maps of quiet days,
 * and repeats all from the committed offset after a hand-over with held slots, as with any version he does not know.
 */

const PLAIN_VERSION = 1;
const HELD_VERSION = 2;
const HEADER_BYTES = 5;
/** The longest encoding of a number below 2^53. */
const NUMBER_BYTES = 8;

const SINGLE = 0;
const RUN = 1;
const PARTLY = 2;
const HELD = 3;
const TICK_MS = 16;

export const MAX_MAP_CHARS = 4_096;

export interface Hole {
  readonly start: number;
  readonly length: number;
  /** Of a record that is partly done (length is 1): one bit per slot, 1 is done. */
  readonly bits: Uint8Array | null;
  /** Where there are bits: how many slots they are for, at least. */
  readonly slots: number;
  /** Of a record (length is 1) at which an earlier owner may still be. */
  readonly held: readonly HeldSlot[] | null;
}

export interface AllHeld {
  readonly leftMs: number;
  readonly end: number;
}

export interface OffsetMap {
  readonly end: number;
  readonly holes: readonly Hole[];
  /** Any unfinished slot before that end may be held for that long; null: only those that are marked. */
  readonly allHeld: AllHeld | null;
}

export type DecodedMap =
  | { readonly kind: 'map'; readonly map: OffsetMap }
  | { readonly kind: 'missing' | 'damaged' | 'unknown_version' };

/**
 * Writes holes in ascending order until the space is used up; the map then ends before the first that did not fit.
 * That is safe (what is not known to be finished is done again after a crash), and rare: intake pauses long before.
 */
export class MapEncoder {
  readonly #offset: number;
  readonly #body: Buffer;
  readonly #bodyMax: number;
  #bodyBytes = 0;
  #end: number;
  #runStart: number;
  #runLength = 0;
  #truncated = false;
  #version = PLAIN_VERSION;

  constructor(offset: number, maxChars = MAX_MAP_CHARS) {
    this.#offset = offset;
    this.#end = offset;
    this.#runStart = offset;
    this.#bodyMax = Math.floor(maxChars / 4) * 3 - HEADER_BYTES - NUMBER_BYTES;
    this.#body = Buffer.allocUnsafe(this.#bodyMax + 4 * NUMBER_BYTES);
  }

  get truncated(): boolean {
    return this.#truncated;
  }

  /** Nothing is said of the records from here on, until finish() says that they are finished. */
  get end(): number {
    return this.#end;
  }

  untouched(start: number, length = 1): void {
    if (this.#runLength > 0 && start === this.#runStart + this.#runLength) {
      this.#runLength += length;
      return;
    }
    this.#closeRun();
    this.#runStart = start;
    this.#runLength = length;
  }

  partlyDone(offset: number, bits: Uint8Array, slots: number): void {
    this.#closeRun();
    if (this.#truncated) return;
    const mark = this.#bodyBytes;
    this.#number((offset - this.#end) * 4 + PARTLY);
    this.#number(slots);
    this.#bits(bits, slots);
    this.#keepIfItFits(mark, offset + 1);
  }

  /** Instead of naming each; before anything else. */
  allHeld({ leftMs, end }: AllHeld): void {
    this.#number(HELD);
    this.#number(0);
    this.#number(ticksOf(leftMs));
    this.#number(end - this.#offset);
    this.#version = HELD_VERSION;
  }

  /** At least one slot is held; null bits: none is done. */
  held(offset: number, bits: Uint8Array | null, slots: number, held: readonly HeldSlot[]): void {
    this.#closeRun();
    if (this.#truncated) return;
    const mark = this.#bodyBytes;
    const heldBits = new Uint8Array(Math.ceil(slots / 8));
    for (const { slot } of held) heldBits[slot >> 3]! |= 1 << (slot & 7);
    this.#number((offset - this.#end) * 4 + HELD);
    this.#number(slots);
    this.#bits(bits ?? new Uint8Array(heldBits.length), slots);
    this.#bits(heldBits, slots);
    for (const { leftMs } of held) {
      if (this.#bodyBytes <= this.#bodyMax) this.#number(ticksOf(leftMs));
    }
    this.#keepIfItFits(mark, offset + 1);
    if (!this.#truncated) this.#version = HELD_VERSION;
  }

  finish(end: number): string {
    this.#closeRun();
    const trailing = this.#truncated ? 0 : end - this.#end;
    const bytes = Buffer.allocUnsafe(HEADER_BYTES + NUMBER_BYTES + this.#bodyBytes);
    let at = writeNumber(bytes, HEADER_BYTES, trailing);
    at += this.#body.copy(bytes, at, 0, this.#bodyBytes);
    bytes[0] = this.#version;
    bytes.writeUInt32BE(checksum(this.#version, this.#offset, bytes.subarray(HEADER_BYTES, at)), 1);
    return bytes.toString('base64', 0, at);
  }

  #closeRun(): void {
    if (this.#runLength === 0) return;
    const start = this.#runStart;
    const length = this.#runLength;
    this.#runLength = 0;
    if (this.#truncated) return;
    const mark = this.#bodyBytes;
    this.#number((start - this.#end) * 4 + (length === 1 ? SINGLE : RUN));
    if (length > 1) this.#number(length - 2);
    this.#keepIfItFits(mark, start + length);
  }

  #keepIfItFits(mark: number, end: number): void {
    if (this.#bodyBytes <= this.#bodyMax) {
      this.#end = end;
      return;
    }
    this.#bodyBytes = mark;
    this.#truncated = true;
  }

  #bits(bits: Uint8Array, slots: number): void {
    const bytes = Math.ceil(slots / 8);
    const body = this.#body;
    const from = this.#bodyBytes;
    // Byte by byte: most records have one or two, and a view of them would cost more than all else here.
    if (from + bytes <= this.#bodyMax) for (let i = 0; i < bytes; i++) body[from + i] = bits[i]!;
    this.#bodyBytes = from + bytes;
  }

  #number(value: number): void {
    this.#bodyBytes = writeNumber(this.#body, this.#bodyBytes, value);
  }
}

export function decodeMap(offset: number, text: string | null): DecodedMap {
  if (text === null || text === '') return { kind: 'missing' };
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 0) return { kind: 'damaged' };
  const version = bytes[0]!;
  if (version !== PLAIN_VERSION && version !== HELD_VERSION) return { kind: 'unknown_version' };
  if (bytes.length <= HEADER_BYTES || bytes.toString('base64') !== text) return { kind: 'damaged' };
  const body = bytes.subarray(HEADER_BYTES);
  if (bytes.readUInt32BE(1) !== checksum(version, offset, body)) return { kind: 'damaged' };
  try {
    return { kind: 'map', map: decodeBody(version, offset, body) };
  } catch {
    return { kind: 'damaged' };
  }
}

function decodeBody(version: number, offset: number, body: Buffer): OffsetMap {
  const reader = new NumberReader(body);
  const trailing = reader.number();
  const holes: Hole[] = [];
  let end = offset;
  let allHeld: AllHeld | null = null;
  while (!reader.atEnd) {
    const token = reader.number();
    const hole = decodeHole(version, token % 4, end + Math.floor(token / 4), reader);
    if (hole.length === 0) {
      allHeld = { leftMs: reader.number() * TICK_MS, end: offset + reader.number() };
      continue;
    }
    holes.push(hole);
    end = hole.start + hole.length;
  }
  return { end: end + trailing, holes, allHeld };
}

/** Of length 0: no record, but that all may be held. */
function decodeHole(version: number, kind: number, start: number, reader: NumberReader): Hole {
  if (kind === SINGLE) return { start, length: 1, bits: null, slots: 0, held: null };
  if (kind === RUN) return { start, length: reader.number() + 2, bits: null, slots: 0, held: null };
  if (kind === HELD && version !== HELD_VERSION) throw new RangeError(`kind ${kind} in version ${version}`);
  const slots = reader.number();
  if (kind === HELD && slots === 0) return { start, length: 0, bits: null, slots, held: null };
  const bits = reader.bytes(Math.ceil(slots / 8));
  const held = kind === HELD ? readHeld(reader, slots) : null;
  return { start, length: 1, bits, slots, held };
}

function readHeld(reader: NumberReader, slots: number): HeldSlot[] {
  const bits = reader.bytes(Math.ceil(slots / 8));
  const held: HeldSlot[] = [];
  for (let slot = 0; slot < slots; slot++) {
    if ((bits[slot >> 3]! & (1 << (slot & 7))) === 0) continue;
    held.push({ slot, leftMs: reader.number() * TICK_MS });
  }
  return held;
}

const ticksOf = (leftMs: number): number => Math.ceil(Math.min(leftMs, MAX_HELD_MS) / TICK_MS);

class NumberReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  number(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new RangeError('the map ends within a number');
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  bytes(count: number): Uint8Array {
    if (this.#at + count > this.#bytes.length) throw new RangeError('the map ends within its bits');
    this.#at += count;
    return Uint8Array.from(this.#bytes.subarray(this.#at - count, this.#at));
  }
}

function writeNumber(bytes: Buffer, from: number, value: number): number {
  let at = from;
  let rest = value;
  while (rest >= 0x80) {
    bytes[at++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  bytes[at++] = rest;
  return at;
}

/** The offset is part of it: a map must not be read against an offset that somebody else set. */
function checksum(version: number, offset: number, body: Buffer): number {
  const prefix = Buffer.allocUnsafe(9);
  prefix[0] = version;
  prefix.writeBigInt64BE(BigInt(offset), 1);
  return crc32(body, crc32(prefix));
}
