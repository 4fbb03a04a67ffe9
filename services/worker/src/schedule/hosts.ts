import type { Work } from './lane.ts';
import { List } from './list.ts';
import type { EndpointQueue } from './queues.ts';

/** A destination host with something in flight, over all tenants, and who waits for a place there. */
export interface Host<W extends Work> {
  readonly name: string;
  inFlight: number;
  readonly waiting: List<EndpointQueue<W>>;
  /** The next look at who waits is arranged. */
  looking: boolean;
}

/** Bounded by what is in flight: a host is forgotten with its last request, and only a full one is waited for. */
export class Hosts<W extends Work> {
  readonly #hosts = new Map<string, Host<W>>();
  readonly #maxInFlight: number;

  constructor(maxInFlight: number) {
    this.#maxInFlight = maxInFlight;
  }

  get size(): number {
    return this.#hosts.size;
  }

  /** The host when there is no room, else null. */
  full(name: string): Host<W> | null {
    const host = this.#hosts.get(name);
    return host !== undefined && this.roomAt(host) <= 0 ? host : null;
  }

  roomAt(host: Host<W>): number {
    return this.#maxInFlight - host.inFlight;
  }

  take(name: string): Host<W> {
    let host = this.#hosts.get(name);
    if (host === undefined) {
      host = { name, inFlight: 0, waiting: new List(), looking: false };
      this.#hosts.set(name, host);
    }
    host.inFlight += 1;
    return host;
  }

  free(host: Host<W>): void {
    host.inFlight -= 1;
    this.#forget(host);
  }

  leave(endpoint: EndpointQueue<W>): void {
    const host = endpoint.host!;
    endpoint.host = null;
    host.waiting.remove(endpoint);
    this.#forget(host);
  }

  waitingSlots(): number {
    let slots = 0;
    for (const { waiting } of this.#hosts.values()) slots += slotsOf(waiting);
    return slots;
  }

  #forget(host: Host<W>): void {
    if (host.inFlight === 0 && host.waiting.length === 0) this.#hosts.delete(host.name);
  }
}

export function slotsOf<W extends Work>(endpoints: Iterable<EndpointQueue<W>>): number {
  let slots = 0;
  for (const { waiting } of endpoints) slots += waiting.length;
  return slots;
}
