import { AddressPlaces, wakeFirst } from './address-places.ts';
import type { Connection } from './connection.ts';

/** The connections to one origin, and who waits for one. */
export interface Origin {
  readonly key: string;
  readonly idle: Connection[];
  /** Being dialled, busy and idle. */
  open: number;
  readonly waiting: Set<() => void>;
}

export interface Limits {
  readonly maxOrigins: number;
  readonly connectionsPerOrigin: number;
  readonly connectionsPerAddress: number;
  readonly waitingPerAddress: number;
  readonly maxConnections: number;
}

/**
 * Counts and keeps connections within the limits. Taking a place never blocks: whoever gets none is put in `waiting`
 * of its origin (all its places are taken) or in `crowded` (the total is) and is woken when one may be free.
 * Origins without connections stay known until `maxOrigins` are; then the least recently used ones go, connections and all.
 */
export class OpenConnections {
  /** Taken and given back by whoever dials. */
  readonly places: AddressPlaces;
  readonly limits: Limits;
  readonly #origins = new Map<string, Origin>();
  /** All idle connections, the longest idle first. */
  readonly #idle = new Set<Connection>();
  readonly #crowded = new Set<() => void>();
  #open = 0;
  evictedOrigins = 0;

  constructor(limits: Limits) {
    this.limits = limits;
    this.places = new AddressPlaces(limits.connectionsPerAddress, limits.waitingPerAddress);
  }

  get counts(): { readonly origins: number; readonly open: number; readonly idle: number } {
    return { origins: this.#origins.size, open: this.#open, idle: this.#idle.size };
  }

  origin(key: string): Origin {
    const known = this.#origins.get(key);
    const origin = known ?? { key, idle: [], open: 0, waiting: new Set() };
    // The order of a Map is that of insertion: reinserting keeps the least recently used in front.
    if (known !== undefined) this.#origins.delete(key);
    this.#origins.set(key, origin);
    if (this.#origins.size > this.limits.maxOrigins) this.#forgetOldest();
    return origin;
  }

  takeIdle(origin: Origin): Connection | null {
    for (let connection = origin.idle.pop(); connection !== undefined; connection = origin.idle.pop()) {
      this.#idle.delete(connection);
      this.places.busy(connection);
      if (connection.isUsable) return connection;
    }
    return null;
  }

  /** Reserves the right to open one connection; where to wait if there is none. */
  takePlace(origin: Origin): 'taken' | Set<() => void> {
    if (origin.open >= this.limits.connectionsPerOrigin) return origin.waiting;
    if (this.#open >= this.limits.maxConnections && !this.#closeLongestIdle()) return this.#crowded;
    origin.open++;
    this.#open++;
    return 'taken';
  }

  /** A place is free again: its connection was closed, idle or busy, or could not be opened (null). */
  freePlace(origin: Origin, connection: Connection | null): void {
    if (connection !== null) {
      this.#dropIdle(origin, connection);
      this.places.free(connection.place, connection);
    }
    origin.open--;
    this.#open--;
    if (!wakeFirst(origin.waiting)) wakeFirst(this.#crowded);
  }

  putIdle(origin: Origin, connection: Connection): void {
    origin.idle.push(connection);
    this.#idle.add(connection);
    this.places.idle(connection);
    if (wakeFirst(origin.waiting) || this.places.offer(connection.place)) return;
    wakeFirst(this.#crowded);
  }

  #dropIdle(origin: Origin, connection: Connection): void {
    if (!this.#idle.delete(connection)) return;
    const index = origin.idle.indexOf(connection);
    if (index !== -1) origin.idle.splice(index, 1);
  }

  closeAllIdle(): void {
    while (this.#closeLongestIdle());
  }

  #closeLongestIdle(): boolean {
    const oldest = this.#idle.keys().next().value;
    if (oldest === undefined) return false;
    oldest.close();
    return true;
  }

  /** Only those without a request under way: their number is bounded by `maxConnections` and whoever calls. */
  #forgetOldest(): void {
    for (const [key, origin] of this.#origins) {
      if (origin.open > origin.idle.length || origin.waiting.size > 0) continue;
      for (const connection of [...origin.idle]) connection.close();
      this.#origins.delete(key);
      this.evictedOrigins++;
      return;
    }
  }
}
