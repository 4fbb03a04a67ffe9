import type { EndpointId, EventId } from '@posthorn/contracts';

/** The 128 bits of an event's id, as signed numbers of 32 bits: V8 keeps these without an object for each. */
export type EventWords = readonly [number, number, number, number];

/** An endpoint as a number, while the table has rows of it. */
export interface Interned {
  readonly endpointId: EndpointId;
  readonly number: number;
  rows: number;
}

/**
 * The deliveries that one record names, one for each endpoint, as the table of attempts looks for them: the event's id
 * is read once, and of what was found the row and the endpoint are remembered.
 */
export class RecordRows {
  readonly endpointIds: readonly EndpointId[];
  readonly run: number;
  readonly event: EventWords;
  readonly endpoints: (Interned | undefined)[];
  /** For each endpoint the row and its generation; 0 for a row that was not found. */
  readonly #rows: number[];

  constructor(eventId: EventId, endpointIds: readonly EndpointId[], run: number) {
    this.endpointIds = endpointIds;
    this.run = run;
    this.event = readEventId(eventId);
    const { length } = endpointIds;
    this.endpoints = new Array<Interned | undefined>(length);
    this.#rows = new Array<number>(length * 2);
    // By hand: fill() takes longer than all the rest for so few.
    for (let i = 0; i < length * 2; i++) this.#rows[i] = 0;
  }

  rowOf(index: number): number {
    return this.#rows[index * 2]!;
  }

  generationOf(index: number): number {
    return this.#rows[index * 2 + 1]!;
  }

  remember(index: number, row: number, generation: number): void {
    this.#rows[index * 2] = row;
    this.#rows[index * 2 + 1] = generation;
  }
}

/**
 * The end of a UUIDv7 is random: little is needed to spread it. The endpoint is added last, so that what one record
 * brings stands close together in memory.
 */
export function hashOf(high: number, low: number, endpoint: number): number {
  const mixed = low ^ Math.imul(high, 0x9e37_79b1);
  return ((mixed ^ (mixed >>> 15)) + endpoint) >>> 0;
}

function readEventId(eventId: EventId): EventWords {
  return [
    hexAt(eventId, 0, 8),
    (hexAt(eventId, 9, 4) << 16) | hexAt(eventId, 14, 4),
    (hexAt(eventId, 19, 4) << 16) | hexAt(eventId, 24, 4),
    hexAt(eventId, 28, 8),
  ];
}

const ZERO = 48;
const NINE = 57;
const LETTERS_FROM = 87;

function hexAt(text: string, start: number, digits: number): number {
  let value = 0;
  for (let i = start; i < start + digits; i++) {
    const code = text.charCodeAt(i);
    value = (value << 4) | (code <= NINE ? code - ZERO : code - LETTERS_FROM);
  }
  return value;
}
