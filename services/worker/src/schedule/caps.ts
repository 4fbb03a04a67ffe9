import type { TenantId } from '@posthorn/contracts';
import { Hosts } from './hosts.ts';
import type { Slot, Work } from './lane.ts';
import type { EndpointQueue, TenantQueue } from './queues.ts';

export interface CapOptions {
  /** Slots with a request under way in this worker. */
  readonly maxInFlight: number;
  /** Slots started and not settled, those in flight included. */
  readonly maxUnsettled: number;
  /** Part of maxInFlight that only fast tenants may use. */
  readonly fastSharePercent: number;
  /** Slots in flight of an endpoint without a limit of its own. */
  readonly maxEndpointInFlight: number;
  /** Slots in flight at one destination host, over all tenants. */
  readonly maxHostInFlight: number;
  /** Part of a tenant's cap that its slow endpoints may use together while it has fast ones. */
  readonly slowEndpointSharePercent: number;
  /**
   * Slots of a tenant that may be in flight over all lanes of this worker: while it changes lanes, what is in flight in
   * an old one may be more than its new share.
   */
  wholeCapOf(tenantId: TenantId): number;
}

/** How long a tenant keeps places for a fast endpoint after its last answer. */
const FAST_KEPT_MS = 60_000;

/** Counts what is in flight against every cap but the rates. */
export class Caps<W extends Work> {
  readonly hosts: Hosts<W>;
  readonly #options: CapOptions;
  readonly maxSlowInFlight: number;
  inFlight = 0;
  unsettled = 0;
  /** In flight, of slow tenants. */
  slowInFlight = 0;

  constructor(options: CapOptions) {
    this.#options = options;
    this.hosts = new Hosts(options.maxHostInFlight);
    const kept = Math.floor((options.maxInFlight * options.fastSharePercent) / 100);
    this.maxSlowInFlight = Math.max(1, options.maxInFlight - kept);
  }

  get anyMayStart(): boolean {
    return this.inFlight < this.#options.maxInFlight && this.unsettled < this.#options.maxUnsettled;
  }

  get slowMayStart(): boolean {
    return this.slowInFlight < this.maxSlowInFlight;
  }

  /** Without fast endpoints there is nobody to keep places for. */
  slowEndpointMayStart(tenant: TenantQueue<W>, cap: number, nowMs: number): boolean {
    if (nowMs - tenant.fastAnswerMs > FAST_KEPT_MS) return true;
    const share = Math.floor((cap * this.#options.slowEndpointSharePercent) / 100);
    return tenant.takenBySlow < Math.max(1, share);
  }

  /** In one lane alone its cap there is all of it. */
  tenantIsFull({ tenantId, inFlight, held, total }: TenantQueue<W>, cap: number): boolean {
    if (inFlight.length + held.length >= cap) return true;
    return total.queues.size > 1 && total.taken >= this.#options.wholeCapOf(tenantId);
  }

  endpointIsFull(endpoint: EndpointQueue<W>, limit: number | null): boolean {
    return endpoint.taken >= (limit ?? this.#options.maxEndpointInFlight);
  }

  start(slot: Slot<W>, host: string | null): void {
    const { tenant } = slot.queue;
    slot.host = host === null ? null : this.hosts.take(host);
    tenant.inFlight.push(slot);
    this.inFlight += 1;
    this.unsettled += 1;
    if (tenant.slow) this.slowInFlight += 1;
    this.#takeEndpoint(slot.queue);
  }

  /** Its place at its host is freed apart: somebody may wait for that. */
  endRequest(slot: Slot<W>): void {
    const { tenant } = slot.queue;
    slot.host = null;
    tenant.inFlight.remove(slot);
    tenant.settling.push(slot);
    this.inFlight -= 1;
    if (tenant.slow) this.slowInFlight -= 1;
    this.#freeEndpoint(slot.queue);
  }

  settle(slot: Slot<W>): void {
    slot.queue.tenant.settling.remove(slot);
    this.unsettled -= 1;
  }

  /** An earlier owner's request is no request of this worker, but it is one to its tenant and endpoint. */
  hold(slot: Slot<W>): void {
    slot.queue.tenant.held.push(slot);
    this.#takeEndpoint(slot.queue);
  }

  unhold(slot: Slot<W>): void {
    slot.queue.tenant.held.remove(slot);
    this.#freeEndpoint(slot.queue);
  }

  classifyTenant(tenant: TenantQueue<W>, slow: boolean): void {
    this.slowInFlight += slow ? tenant.inFlight.length : -tenant.inFlight.length;
  }

  classifyEndpoint(endpoint: EndpointQueue<W>, slow: boolean): void {
    endpoint.tenant.takenBySlow += slow ? endpoint.taken : -endpoint.taken;
  }

  #takeEndpoint(endpoint: EndpointQueue<W>): void {
    endpoint.taken += 1;
    endpoint.tenant.total.taken += 1;
    if (endpoint.slow) endpoint.tenant.takenBySlow += 1;
  }

  #freeEndpoint(endpoint: EndpointQueue<W>): void {
    endpoint.taken -= 1;
    endpoint.tenant.total.taken -= 1;
    if (endpoint.slow) endpoint.tenant.takenBySlow -= 1;
  }
}
