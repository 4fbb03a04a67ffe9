import type { Caps } from './caps.ts';
import { type Host, slotsOf } from './hosts.ts';
import type { Work } from './lane.ts';
import { List } from './list.ts';
import type { EndpointQueue, TenantQueue } from './queues.ts';
import { nextStartMs } from './rates.ts';
import type { EndpointLimits } from './scheduler.ts';
import { ClassedTurns } from './turns.ts';
import { Wakes } from './wakes.ts';

export interface PlaceStats {
  readonly tenantsAtCap: number;
  /** Slots that wait, by what for; the others wait for their turn alone. */
  readonly waiting: {
    readonly tenantCap: number;
    readonly endpointCap: number;
    readonly host: number;
    readonly rate: number;
  };
}

const TENANT_LISTS = 1_024;
/**
 * A place at a host goes to one who waits for it at once. Where that one cannot use it, as its tenant is at its cap, the
 * next are asked after this long.
 */
const HOST_LOOK_MS = 20;

/** Who waits, and for what: in turn, or apart from those in turn until what they wait for is there. */
export class Places<W extends Work> {
  readonly wakes = new Wakes();
  readonly #caps: Caps<W>;
  readonly #tenantTurns = new ClassedTurns<TenantQueue<W>>(TENANT_LISTS);
  readonly #tenantsAtCap = new List<TenantQueue<W>>();
  readonly #endpointsAtCap = new List<EndpointQueue<W>>();
  readonly #endpointsAtRate = new List<EndpointQueue<W>>();

  constructor(caps: Caps<W>) {
    this.#caps = caps;
  }

  firstTenant(): TenantQueue<W> | null {
    return this.#tenantTurns.first(this.#caps.slowMayStart);
  }

  /** Has something to start, as far as it knows. */
  ready(endpoint: EndpointQueue<W>): void {
    if (endpoint.place !== 'in_turn') {
      this.#take(endpoint);
      endpoint.place = 'in_turn';
      endpoint.tenant.endpointTurns.join(endpoint);
    }
    this.readyTenant(endpoint.tenant);
  }

  readyTenant(tenant: TenantQueue<W>): void {
    if (tenant.place === 'in_turn' || tenant.endpointTurns.length === 0) return;
    if (tenant.place === 'at_cap') this.#tenantsAtCap.remove(tenant);
    tenant.place = 'in_turn';
    this.#tenantTurns.join(tenant);
  }

  /** Nothing of it waits any more. */
  rest(endpoint: EndpointQueue<W>): void {
    this.#take(endpoint);
    endpoint.place = 'idle';
    if (endpoint.tenant.endpointTurns.length === 0) this.restTenant(endpoint.tenant);
  }

  /** None of its endpoints is in turn. */
  restTenant(tenant: TenantQueue<W>): void {
    this.#takeTenant(tenant);
    tenant.place = 'idle';
  }

  tenantAtCap(tenant: TenantQueue<W>): void {
    this.#takeTenant(tenant);
    tenant.place = 'at_cap';
    this.#tenantsAtCap.push(tenant);
  }

  /** Whether the caps and the rate of an endpoint let it start; where not it stands apart from now on. */
  admit(endpoint: EndpointQueue<W>, limits: EndpointLimits, nowMs: number): boolean {
    if (this.#caps.endpointIsFull(endpoint, limits.maxConcurrency)) {
      this.#standApart(endpoint, 'at_cap', this.#endpointsAtCap);
      return false;
    }
    const full = limits.host === null ? null : this.#caps.hosts.full(limits.host);
    if (full !== null) {
      this.#standApart(endpoint, 'at_host', full.waiting);
      endpoint.host = full;
      this.#lookLater(full, nowMs);
      return false;
    }
    const startMs = limits.maxPerSec === null ? nowMs : nextStartMs(endpoint, limits.maxPerSec);
    if (startMs <= nowMs) return true;
    this.#standApart(endpoint, 'at_rate', this.#endpointsAtRate);
    endpoint.wake = this.wakes.at(startMs, () => this.ready(endpoint));
    return false;
  }

  /** Frees a place at a host, for whoever waits the longest. */
  freeHost(host: Host<W>): void {
    const { first } = host.waiting;
    if (first !== null) this.ready(first);
    this.#caps.hosts.free(host);
  }

  /** Asks those at a cap again: it may have been raised while nothing of theirs ended. */
  recheck(): void {
    for (const endpoint of this.#endpointsAtCap) this.ready(endpoint);
    for (const tenant of this.#tenantsAtCap) this.readyTenant(tenant);
  }

  /** A tenant of several lanes takes its turns in all of them for what it used in any: more lanes are not more time. */
  charge(endpoint: EndpointQueue<W>, ms: number): void {
    endpoint.tenant.endpointTurns.charge(endpoint, ms);
    const { queues } = endpoint.tenant.total;
    if (queues.size === 1) this.#tenantTurns.charge(endpoint.tenant, ms);
    else for (const tenant of queues) this.#tenantTurns.charge(tenant, ms);
  }

  classifyTenant(tenant: TenantQueue<W>, slow: boolean): void {
    this.#tenantTurns.classify(tenant, slow);
  }

  stats(): PlaceStats {
    let tenantCap = 0;
    for (const { shares } of this.#tenantsAtCap) for (const share of shares) tenantCap += share.slots;
    const waiting = {
      tenantCap,
      endpointCap: slotsOf(this.#endpointsAtCap),
      host: this.#caps.hosts.waitingSlots(),
      rate: slotsOf(this.#endpointsAtRate),
    };
    return { tenantsAtCap: this.#tenantsAtCap.length, waiting };
  }

  #standApart(
    endpoint: EndpointQueue<W>,
    place: EndpointQueue<W>['place'],
    list: List<EndpointQueue<W>>,
  ): void {
    this.#take(endpoint);
    endpoint.place = place;
    list.push(endpoint);
  }

  #lookLater(host: Host<W>, nowMs: number): void {
    if (host.looking) return;
    host.looking = true;
    this.wakes.at(nowMs + HOST_LOOK_MS, (thenMs) => {
      host.looking = false;
      for (let room = this.#caps.hosts.roomAt(host); room > 0 && host.waiting.first !== null; room--)
        this.ready(host.waiting.first);
      if (host.waiting.length > 0) this.#lookLater(host, thenMs);
    });
  }

  #take(endpoint: EndpointQueue<W>): void {
    switch (endpoint.place) {
      case 'idle':
        return;
      case 'in_turn':
        endpoint.tenant.endpointTurns.leave(endpoint);
        return;
      case 'at_cap':
        this.#endpointsAtCap.remove(endpoint);
        return;
      case 'at_rate':
        this.#endpointsAtRate.remove(endpoint);
        endpoint.wake!.cancelled = true;
        endpoint.wake = null;
        return;
      case 'at_host':
        this.#caps.hosts.leave(endpoint);
        return;
      default:
        endpoint.place satisfies never;
    }
  }

  #takeTenant(tenant: TenantQueue<W>): void {
    if (tenant.place === 'in_turn') this.#tenantTurns.leave(tenant);
    else if (tenant.place === 'at_cap') this.#tenantsAtCap.remove(tenant);
  }
}
