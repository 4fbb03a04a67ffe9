import type { EndpointId, EventId } from '@posthorn/contracts';

/** Which delivery: one event for one endpoint in one run. */
export interface DeliveryKey {
  readonly eventId: EventId;
  readonly endpointId: EndpointId;
  readonly run: number;
}

/** What is kept of a delivery beside its key. Whole numbers from 0 to 2^32 - 1. */
export const COLUMN = { round: 7, attempt: 8, source: 9, mode: 10, tick: 11, older: 12, newer: 13 } as const;
export type Column = (typeof COLUMN)[keyof typeof COLUMN];

const NEXT = 0;
const EVENT = 1;
const ENDPOINT = 5;
const RUN = 6;
const WORDS = 14;
const FIRST_ROWS = 1_024;

interface Interned {
  readonly endpointId: EndpointId;
  readonly number: number;
  rows: number;
}

/**
 * A hash table of deliveries in flat memory: 56 bytes a row and 4 to 8 for its bucket, nothing for the collector to
 * walk. The key is kept whole (the 128 bits of the event's id, the endpoint by a number, the run), so that no two
 * deliveries are taken for one. Rows are named by their number, from 1; 0 is none.
 */
export class AttemptTable {
  readonly maxRows: number;
  #words = new Uint32Array((FIRST_ROWS + 1) * WORDS);
  #buckets = new Uint32Array(FIRST_ROWS);
  #rows = 0;
  /** Rows that were ever used. */
  #used = 0;
  #free = 0;
  readonly #event = new Uint32Array(4);
  #eventId: EventId = '';
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

  find(key: DeliveryKey): number {
    const endpoint = this.#endpoints.get(key.endpointId);
    if (endpoint === undefined) return 0;
    this.#read(key.eventId);
    for (let row = this.#buckets[this.#bucketOf(endpoint.number)]!; row !== 0; ) {
      const at = row * WORDS;
      if (this.#isAt(at, endpoint.number, key.run)) return row;
      row = this.#words[at + NEXT]!;
    }
    return 0;
  }

  /** Adds what find() did not find. 0 when the table is full. */
  add(key: DeliveryKey): number {
    if (this.#rows === this.maxRows) return 0;
    const row = this.#takeRow();
    const endpoint = this.#intern(key.endpointId);
    this.#read(key.eventId);
    const at = row * WORDS;
    this.#words.fill(0, at, at + WORDS);
    this.#words.set(this.#event, at + EVENT);
    this.#words[at + ENDPOINT] = endpoint.number;
    this.#words[at + RUN] = key.run;
    const bucket = this.#bucketOf(endpoint.number);
    this.#words[at + NEXT] = this.#buckets[bucket]!;
    this.#buckets[bucket] = row;
    this.#rows += 1;
    return row;
  }

  remove(row: number): void {
    const at = row * WORDS;
    const words = this.#words;
    const bucket = hash(words[at + EVENT + 2]!, words[at + EVENT + 3]!, words[at + ENDPOINT]!) & this.#mask;
    if (this.#buckets[bucket] === row) this.#buckets[bucket] = words[at + NEXT]!;
    else {
      let before = this.#buckets[bucket]! * WORDS;
      while (words[before + NEXT] !== row) before = words[before + NEXT]! * WORDS;
      words[before + NEXT] = words[at + NEXT]!;
    }
    this.#release(words[at + ENDPOINT]!);
    words[at + COLUMN.mode] = 0;
    words[at + NEXT] = this.#free;
    this.#free = row;
    this.#rows -= 1;
  }

  get #mask(): number {
    return this.#buckets.length - 1;
  }

  #bucketOf(endpoint: number): number {
    return hash(this.#event[2]!, this.#event[3]!, endpoint) & this.#mask;
  }

  #isAt(at: number, endpoint: number, run: number): boolean {
    const words = this.#words;
    const event = this.#event;
    return (
      words[at + EVENT + 3] === event[3] &&
      words[at + ENDPOINT] === endpoint &&
      words[at + EVENT + 2] === event[2] &&
      words[at + EVENT + 1] === event[1] &&
      words[at + EVENT] === event[0] &&
      words[at + RUN] === run
    );
  }

  /** The slots of a record ask for the same event one after the other. */
  #read(eventId: EventId): void {
    if (eventId === this.#eventId) return;
    const event = this.#event;
    event[0] = hexAt(eventId, 0, 8);
    event[1] = hexAt(eventId, 9, 4) * 0x1_0000 + hexAt(eventId, 14, 4);
    event[2] = hexAt(eventId, 19, 4) * 0x1_0000 + hexAt(eventId, 24, 4);
    event[3] = hexAt(eventId, 28, 8);
    this.#eventId = eventId;
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
      const bucket = hash(words[at + EVENT + 2]!, words[at + EVENT + 3]!, words[at + ENDPOINT]!) & this.#mask;
      words[at + NEXT] = this.#buckets[bucket]!;
      this.#buckets[bucket] = row;
    }
  }

  #intern(endpointId: EndpointId): Interned {
    let interned = this.#endpoints.get(endpointId);
    if (interned === undefined) {
      interned = { endpointId, number: this.#freeNumbers.pop() ?? this.#byNumber.length, rows: 0 };
      this.#byNumber[interned.number] = interned;
      this.#endpoints.set(endpointId, interned);
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

/** The end of a UUIDv7 is random: little is needed to spread it. */
function hash(high: number, low: number, endpoint: number): number {
  const mixed = low ^ Math.imul(high, 0x9e37_79b1) ^ Math.imul(endpoint + 1, 0x85eb_ca6b);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

const ZERO = 48;
const NINE = 57;
const LETTERS_FROM = 87;

function hexAt(text: string, start: number, digits: number): number {
  let value = 0;
  for (let i = start; i < start + digits; i++) {
    const code = text.charCodeAt(i);
    value = value * 16 + (code <= NINE ? code - ZERO : code - LETTERS_FROM);
  }
  return value;
}
