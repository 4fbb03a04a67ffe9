import type { EndpointId } from '@posthorn/contracts';
import { type EventWords, hashOf, type Interned, type RecordRows } from './record-rows.ts';

/** What is kept of a delivery beside its key. Whole numbers from 0 to 2^32 - 1. */
export const COLUMN = { round: 7, attempt: 8, source: 9, mode: 10, tick: 11, older: 12, newer: 13 } as const;
export type Column = (typeof COLUMN)[keyof typeof COLUMN];

const NEXT = 0;
const EVENT = 1;
const ENDPOINT = 5;
const RUN = 6;
/** How often the row was given away: who remembers the row remembers that too. */
const GENERATION = 14;
const WORDS = 15;
const FIRST_ROWS = 1_024;
const BUCKETS_PER_ROW = 2;

/**
 * A hash table of deliveries in flat memory: 60 bytes a row and 8 to 16 for its buckets, nothing for the collector to
 * walk. The key is kept whole (the 128 bits of the event's id, the endpoint by a number, the run), so that no two
 * deliveries are taken for one. Rows are named by their number, from 1; 0 is none. A record remembers the rows of its
 * deliveries, and looks only for those that it has not, or whose row was given away.
 */
export class AttemptTable {
  readonly maxRows: number;
  #words = new Uint32Array((FIRST_ROWS + 1) * WORDS);
  #buckets = new Uint32Array(FIRST_ROWS * BUCKETS_PER_ROW);
  #rows = 0;
  /** Rows that were ever used. */
  #used = 0;
  #free = 0;
  readonly #endpoints = new Map<EndpointId, Interned>();
  readonly #byNumber: Interned[] = [];
  readonly #freeNumbers: number[] = [];

  constructor(maxRows: number) {
    this.maxRows = maxRows;
  }

  get rows(): number {
    return this.#rows;
  }

  get bytes(): number {
    return this.#words.byteLength + this.#buckets.byteLength;
  }

  /** The highest row that may be in use. */
  get lastRow(): number {
    return this.#used;
  }

  get(row: number, column: Column): number {
    return this.#words[row * WORDS + column]!;
  }

  set(row: number, column: Column, value: number): void {
    this.#words[row * WORDS + column] = value;
  }

  find(keys: RecordRows, index: number): number {
    const known = keys.rowOf(index);
    if (known !== 0 && this.#words[known * WORDS + GENERATION] === keys.generationOf(index)) return known;
    const endpoint = this.#endpointOf(keys, index);
    return endpoint === undefined ? 0 : this.#lookUp(keys, index, endpoint.number);
  }

  /** Adds what find() did not find; the columns are the caller's to write. 0 when the table is full. */
  add(keys: RecordRows, index: number): number {
    if (this.#rows === this.maxRows) return 0;
    const row = this.#takeRow();
    const { number } = this.#intern(keys, index);
    const words = this.#words;
    const at = row * WORDS;
    const { event } = keys;
    for (let i = 0; i < event.length; i++) words[at + EVENT + i] = event[i]!;
    words[at + ENDPOINT] = number;
    words[at + RUN] = keys.run;
    const bucket = hashOf(event[2], event[3], number) & this.#mask;
    words[at + NEXT] = this.#buckets[bucket]!;
    this.#buckets[bucket] = row;
    this.#rows += 1;
    keys.remember(index, row, words[at + GENERATION]!);
    return row;
  }

  remove(row: number): void {
    const at = row * WORDS;
    const words = this.#words;
    const bucket = hashOf(words[at + EVENT + 2]!, words[at + EVENT + 3]!, words[at + ENDPOINT]!) & this.#mask;
    if (this.#buckets[bucket] === row) this.#buckets[bucket] = words[at + NEXT]!;
    else {
      let before = this.#buckets[bucket]! * WORDS;
      while (words[before + NEXT] !== row) before = words[before + NEXT]! * WORDS;
      words[before + NEXT] = words[at + NEXT]!;
    }
    this.#release(words[at + ENDPOINT]!);
    words[at + COLUMN.mode] = 0;
    words[at + GENERATION]! += 1;
    words[at + NEXT] = this.#free;
    this.#free = row;
    this.#rows -= 1;
  }

  get #mask(): number {
    return this.#buckets.length - 1;
  }

  #lookUp(keys: RecordRows, index: number, endpoint: number): number {
    const { event, run } = keys;
    const bucket = hashOf(event[2], event[3], endpoint) & this.#mask;
    for (let row = this.#buckets[bucket]!; row !== 0; ) {
      const at = row * WORDS;
      if (this.#isAt(at, event, endpoint, run)) {
        keys.remember(index, row, this.#words[at + GENERATION]!);
        return row;
      }
      row = this.#words[at + NEXT]!;
    }
    return 0;
  }

  #isAt(at: number, event: EventWords, endpoint: number, run: number): boolean {
    const words = this.#words;
    return (
      (words[at + EVENT + 3]! | 0) === event[3] &&
      words[at + ENDPOINT] === endpoint &&
      (words[at + EVENT + 2]! | 0) === event[2] &&
      (words[at + EVENT + 1]! | 0) === event[1] &&
      (words[at + EVENT]! | 0) === event[0] &&
      words[at + RUN] === run
    );
  }

  #takeRow(): number {
    if (this.#free !== 0) {
      const row = this.#free;
      this.#free = this.#words[row * WORDS + NEXT]!;
      return row;
    }
    if ((this.#used + 1) * WORDS === this.#words.length) this.#grow();
    this.#used += 1;
    return this.#used;
  }

  #grow(): void {
    const words = new Uint32Array((this.#used * 2 + 1) * WORDS);
    words.set(this.#words);
    this.#words = words;
    this.#buckets = new Uint32Array(this.#buckets.length * 2);
    for (let row = 1; row <= this.#used; row++) {
      const at = row * WORDS;
      const bucket =
        hashOf(words[at + EVENT + 2]!, words[at + EVENT + 3]!, words[at + ENDPOINT]!) & this.#mask;
      words[at + NEXT] = this.#buckets[bucket]!;
      this.#buckets[bucket] = row;
    }
  }

  /** Undefined while no row is of this endpoint. */
  #endpointOf(keys: RecordRows, index: number): Interned | undefined {
    const known = keys.endpoints[index];
    if (known !== undefined && known.rows > 0) return known;
    const endpoint = this.#endpoints.get(keys.endpointIds[index]!);
    keys.endpoints[index] = endpoint;
    return endpoint;
  }

  #intern(keys: RecordRows, index: number): Interned {
    let interned = this.#endpointOf(keys, index);
    if (interned === undefined) {
      const endpointId = keys.endpointIds[index]!;
      interned = { endpointId, number: this.#freeNumbers.pop() ?? this.#byNumber.length, rows: 0 };
      this.#byNumber[interned.number] = interned;
      this.#endpoints.set(endpointId, interned);
      keys.endpoints[index] = interned;
    }
    interned.rows += 1;
    return interned;
  }

  #release(number: number): void {
    const interned = this.#byNumber[number]!;
    interned.rows -= 1;
    if (interned.rows > 0) return;
    this.#endpoints.delete(interned.endpointId);
    this.#freeNumbers.push(number);
  }
}
