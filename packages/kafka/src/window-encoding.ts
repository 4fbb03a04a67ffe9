import { crc32 } from 'node:zlib';

/**
 * The map that travels as a commit's metadata: of the records from the committed offset to `end` all are finished but
 * the holes. Beyond `end` nothing is known, so nothing is finished there.
 *
 * base64 of: version (1 byte), CRC-32 (4 bytes, over the version, the committed offset and the body), body.
 * Body: the finished records between the last hole and the end, then per hole `finished before it * 4 + kind`.
 * Kind 0 is one untouched record; 1 a run of them (its length - 2 follows); 2 one record partly done (its slots and
 * their bits follow); 3 is kept for slots that are still under way with an owner who lost the lane.
 * Numbers are unsigned LEB128.
 */

const VERSION = 1;
const HEADER_BYTES = 5;
/** The longest encoding of a number below 2^53. */
const NUMBER_BYTES = 8;

const SINGLE = 0;
const RUN = 1;
const PARTLY = 2;

export const MAX_MAP_CHARS = 4_096;

export interface Hole {
  readonly start: number;
  readonly length: number;
  /** Of a record that is partly done (length is 1): one bit per slot, 1 is done. */
  readonly bits: Uint8Array | null;
}

export interface OffsetMap {
  readonly end: number;
  readonly holes: readonly Hole[];
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
    const bytes = Math.ceil(slots / 8);
    if (this.#bodyBytes + bytes <= this.#bodyMax) {
      this.#body.set(bits.subarray(0, bytes), this.#bodyBytes);
      this.#bodyBytes += bytes;
    } else {
      this.#bodyBytes = this.#bodyMax + 1;
    }
    this.#keepIfItFits(mark, offset + 1);
  }

  finish(end: number): string {
    this.#closeRun();
    const trailing = this.#truncated ? 0 : end - this.#end;
    const bytes = Buffer.allocUnsafe(HEADER_BYTES + NUMBER_BYTES + this.#bodyBytes);
    let at = writeNumber(bytes, HEADER_BYTES, trailing);
    at += this.#body.copy(bytes, at, 0, this.#bodyBytes);
    bytes[0] = VERSION;
    bytes.writeUInt32BE(checksum(this.#offset, bytes.subarray(HEADER_BYTES, at)), 1);
    return bytes.toString('base64', 0, at);
  }

  #closeRun(): void {
    if (this.#runLength === 0) return;
    const [start, length] = [this.#runStart, this.#runLength];
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

  #number(value: number): void {
    this.#bodyBytes = writeNumber(this.#body, this.#bodyBytes, value);
  }
}

export function decodeMap(offset: number, text: string | null): DecodedMap {
  if (text === null || text === '') return { kind: 'missing' };
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 0) return { kind: 'damaged' };
  if (bytes[0] !== VERSION) return { kind: 'unknown_version' };
  if (bytes.length <= HEADER_BYTES || bytes.toString('base64') !== text) return { kind: 'damaged' };
  const body = bytes.subarray(HEADER_BYTES);
  if (bytes.readUInt32BE(1) !== checksum(offset, body)) return { kind: 'damaged' };
  try {
    return { kind: 'map', map: decodeBody(offset, body) };
  } catch {
    return { kind: 'damaged' };
  }
}

function decodeBody(offset: number, body: Buffer): OffsetMap {
  const reader = new NumberReader(body);
  const trailing = reader.number();
  const holes: Hole[] = [];
  let end = offset;
  while (!reader.atEnd) {
    const token = reader.number();
    const start = end + Math.floor(token / 4);
    const kind = token % 4;
    let length = 1;
    let bits: Uint8Array | null = null;
    if (kind === RUN) length = reader.number() + 2;
    else if (kind === PARTLY) bits = reader.bytes(Math.ceil(reader.number() / 8));
    else if (kind !== SINGLE) throw new RangeError(`hole of kind ${kind}`);
    holes.push({ start, length, bits });
    end = start + length;
  }
  return { end: end + trailing, holes };
}

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
function checksum(offset: number, body: Buffer): number {
  const prefix = Buffer.allocUnsafe(9);
  prefix[0] = VERSION;
  prefix.writeBigInt64BE(BigInt(offset), 1);
  return crc32(body, crc32(prefix));
}
