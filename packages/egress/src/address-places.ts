import type { Connection } from './connection.ts';

interface Place {
  /** Being dialled, busy and idle. */
  open: number;
  readonly idle: Set<Connection>;
  readonly waiting: Set<() => void>;
}

/**
 * Counts the connections to each address (`placeOfAddress`), whatever names they were asked for by: ten thousand names of one victim get no
 * more of them than one name. At the limit whoever comes makes room by closing the longest idle one, or waits; only so many
 * wait, as each holds a place of whoever sends for it.
 */
export class AddressPlaces {
  readonly #maxPerAddress: number;
  readonly #maxWaiting: number;
  readonly #places = new Map<string, Place>();

  constructor(maxPerAddress: number, maxWaiting: number) {
    this.#maxPerAddress = maxPerAddress;
    this.#maxWaiting = maxWaiting;
  }

  /** Of those with a connection, or with somebody who waits for one. */
  get size(): number {
    return this.#places.size;
  }

  get full(): number {
    let full = 0;
    for (const { open } of this.#places.values()) if (open >= this.#maxPerAddress) full++;
    return full;
  }

  take(name: string): boolean {
    const place = this.#places.get(name) ?? { open: 0, idle: new Set(), waiting: new Set() };
    if (place.open >= this.#maxPerAddress && !closeLongestIdle(place)) return false;
    place.open++;
    this.#places.set(name, place);
    return true;
  }

  /** The connection was closed, or could not be opened. */
  free(name: string, connection: Connection | null): void {
    const place = this.#places.get(name)!;
    if (connection !== null) place.idle.delete(connection);
    place.open--;
    this.offer(name);
  }

  idle(connection: Connection): void {
    this.#places.get(connection.place)?.idle.add(connection);
  }

  busy(connection: Connection): void {
    this.#places.get(connection.place)?.idle.delete(connection);
  }

  /** Wakes the first who waits if there is room for him: again, where the one woken before took no place after all. */
  offer(name: string): boolean {
    const place = this.#places.get(name);
    if (place === undefined) return false;
    if (place.open === 0 && place.waiting.size === 0) this.#places.delete(name);
    const hasRoom = place.open < this.#maxPerAddress || place.idle.size > 0;
    return hasRoom && wakeFirst(place.waiting);
  }

  /** Where to wait for a place; null if too many do. */
  queue(name: string): Set<() => void> | null {
    const waiting = this.#places.get(name)?.waiting;
    return waiting !== undefined && waiting.size < this.#maxWaiting ? waiting : null;
  }
}

function closeLongestIdle({ idle }: Place): boolean {
  const oldest = idle.values().next().value;
  oldest?.close();
  return oldest !== undefined;
}

/** Whether somebody waited. */
export function wakeFirst(waiting: Set<() => void>): boolean {
  const first = waiting.values().next().value;
  if (first === undefined) return false;
  waiting.delete(first);
  first();
  return true;
}
