import type { Caps } from './caps.ts';
import type { Work } from './lane.ts';
import { estimateMs, isSlow, observe } from './pace.ts';
import type { Places } from './places.ts';
import type { EndpointQueue, TenantQueue } from './queues.ts';

/** Tells fast from slow, by what attempts took and by those that keep us waiting. */
export class Judge<W extends Work> {
  readonly #caps: Caps<W>;
  readonly #places: Places<W>;
  readonly #unknownMs: number;

  /** @param unknownMs what an attempt is taken to last where nothing is known. */
  constructor(caps: Caps<W>, places: Places<W>, unknownMs: number) {
    this.#caps = caps;
    this.#places = places;
    this.#unknownMs = unknownMs;
  }

  /** What an attempt that starts now is charged until it has ended. */
  estimateMs(endpoint: EndpointQueue<W>, nowMs: number): number {
    return estimateMs(endpoint, endpoint.tenant, silentMs(endpoint, nowMs), this.#unknownMs);
  }

  answered(endpoint: EndpointQueue<W>, tookMs: number, nowMs: number): void {
    const { tenant } = endpoint;
    observe(endpoint, tookMs);
    observe(tenant, tookMs);
    endpoint.silentSinceMs = nowMs;
    this.endpoint(endpoint, nowMs);
    this.tenant(tenant, nowMs);
    if (!endpoint.slow) tenant.fastAnswerMs = nowMs;
  }

  /** True: it has changed its class, and its turn comes among the others of that. */
  endpoint(endpoint: EndpointQueue<W>, nowMs: number): boolean {
    const slow = isSlow(endpoint, silentMs(endpoint, nowMs));
    if (slow === endpoint.slow) return false;
    this.#caps.classifyEndpoint(endpoint, slow);
    endpoint.tenant.endpointTurns.classify(endpoint, slow);
    return true;
  }

  /** As for an endpoint; but one attempt that does not end is enough. */
  tenant(tenant: TenantQueue<W>, nowMs: number): boolean {
    const oldest = tenant.inFlight.first;
    const slow = isSlow(tenant, oldest === null ? 0 : nowMs - oldest.startedMs);
    if (slow === tenant.slow) return false;
    this.#caps.classifyTenant(tenant, slow);
    this.#places.classifyTenant(tenant, slow);
    return true;
  }
}

/** How long an endpoint has let all that is in flight wait. */
function silentMs<W extends Work>(endpoint: EndpointQueue<W>, nowMs: number): number {
  return endpoint.taken === 0 ? 0 : nowMs - endpoint.silentSinceMs;
}
