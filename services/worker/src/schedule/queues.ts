import type { EndpointId, TenantId } from '@posthorn/contracts';
import type { Host } from './hosts.ts';
import type { Share, Slot, Work } from './lane.ts';
import { List } from './list.ts';
import type { Pace } from './pace.ts';
import type { Rate } from './rates.ts';
import { ClassedTurns, type Turn } from './turns.ts';
import type { Wake } from './wakes.ts';

/**
 * An endpoint's slots in one lane, first come, first served.
 *
 * Places: idle (nothing waits) → in_turn ⇄ at_cap, at_host, at_rate (something waits, and for what).
 */
export interface EndpointQueue<W extends Work> extends Turn<EndpointQueue<W>>, Pace, Rate {
  readonly endpointId: EndpointId;
  readonly tenant: TenantQueue<W>;
  readonly waiting: List<Slot<W>>;
  place: 'idle' | 'in_turn' | 'at_cap' | 'at_host' | 'at_rate';
  /** In flight, and held by an earlier owner. */
  taken: number;
  /** Slots in any stage but the last: while there are any it is remembered. */
  open: number;
  /** Since when nothing of what is in flight has ended. */
  silentSinceMs: number;
  /** The host that it waits for. */
  host: Host<W> | null;
  /** Ends its wait for its rate. */
  wake: Wake | null;
}

/**
 * A tenant in one lane. It outlives a lane that is lost and comes back as long as something of it is in flight: the cap
 * counts requests, whichever assignment they were started under.
 *
 * Places: idle (no endpoint of it can start) → in_turn ⇄ at_cap (the cap is used up, or what slow endpoints may use).
 */
export interface TenantQueue<W extends Work> extends Turn<TenantQueue<W>>, Pace {
  readonly tenantId: TenantId;
  readonly lane: number;
  readonly total: TenantTotal<W>;
  readonly endpoints: Map<EndpointId, EndpointQueue<W>>;
  readonly endpointTurns: ClassedTurns<EndpointQueue<W>>;
  /** One for each of the lanes of its number: deliveries and overflow. */
  readonly shares: Share<W>[];
  /** By their start. */
  readonly inFlight: List<Slot<W>>;
  readonly settling: List<Slot<W>>;
  readonly held: List<Slot<W>>;
  place: 'idle' | 'in_turn' | 'at_cap';
  /** In flight or held, of slow endpoints. */
  takenBySlow: number;
  /** When a fast endpoint answered last. */
  fastAnswerMs: number;
}

/** A tenant over all lanes of this worker. */
export interface TenantTotal<W extends Work> {
  /** One for each lane. */
  readonly queues: Set<TenantQueue<W>>;
  /** In flight, and held by earlier owners. */
  taken: number;
}

/** Endpoints with nothing under way whose pace and rate are remembered; the least recently used are forgotten. */
export const MAX_IDLE_ENDPOINTS = 10_000;
const ENDPOINT_LISTS = 32;

/** All tenants and endpoints of this worker, by the number of their lane: see TenantQueue. */
export class Queues<W extends Work> {
  readonly #lanes = new Map<number, Map<TenantId, TenantQueue<W>>>();
  readonly #totals = new Map<TenantId, TenantTotal<W>>();
  readonly #idle = new List<EndpointQueue<W>>();

  tenantOf(lane: number, tenantId: TenantId): TenantQueue<W> {
    let tenants = this.#lanes.get(lane);
    if (tenants === undefined) {
      tenants = new Map();
      this.#lanes.set(lane, tenants);
    }
    let tenant = tenants.get(tenantId);
    if (tenant === undefined) {
      tenant = openTenant(lane, tenantId, this.#totalOf(tenantId));
      tenant.total.queues.add(tenant);
      tenants.set(tenantId, tenant);
    }
    return tenant;
  }

  endpointOf(tenant: TenantQueue<W>, endpointId: EndpointId): EndpointQueue<W> {
    let endpoint = tenant.endpoints.get(endpointId);
    if (endpoint === undefined) {
      endpoint = openEndpoint(tenant, endpointId);
      tenant.endpoints.set(endpointId, endpoint);
    }
    return endpoint;
  }

  find(lane: number, tenantId: TenantId): TenantQueue<W> | undefined {
    return this.#lanes.get(lane)?.get(tenantId);
  }

  inLane(lane: number): Iterable<TenantQueue<W>> {
    return this.#lanes.get(lane)?.values() ?? [];
  }

  *all(): Generator<TenantQueue<W>, void> {
    for (const tenants of this.#lanes.values()) yield* tenants.values();
  }

  get idleEndpoints(): number {
    return this.#idle.length;
  }

  opened(endpoint: EndpointQueue<W>): void {
    endpoint.open += 1;
    if (endpoint.list === this.#idle) this.#idle.remove(endpoint);
  }

  closed(endpoint: EndpointQueue<W>): void {
    endpoint.open -= 1;
    if (endpoint.open > 0) return;
    this.#idle.push(endpoint);
    if (this.#idle.length > MAX_IDLE_ENDPOINTS) this.#forget(this.#idle.shift()!);
  }

  #totalOf(tenantId: TenantId): TenantTotal<W> {
    let total = this.#totals.get(tenantId);
    if (total === undefined) {
      total = { queues: new Set(), taken: 0 };
      this.#totals.set(tenantId, total);
    }
    return total;
  }

  #forget({ tenant, endpointId }: EndpointQueue<W>): void {
    tenant.endpoints.delete(endpointId);
    if (tenant.endpoints.size > 0) return;
    const tenants = this.#lanes.get(tenant.lane);
    tenants?.delete(tenant.tenantId);
    tenant.total.queues.delete(tenant);
    if (tenant.total.queues.size === 0) this.#totals.delete(tenant.tenantId);
    if (tenants?.size === 0) this.#lanes.delete(tenant.lane);
  }
}

const unlinked = { list: null, before: null, after: null } as const;
const newcomer = { ...unlinked, usedMs: 0, slow: true, turns: null, meanMs: null } as const;

function openTenant<W extends Work>(lane: number, tenantId: TenantId, total: TenantTotal<W>): TenantQueue<W> {
  return {
    ...newcomer,
    tenantId,
    lane,
    total,
    endpoints: new Map(),
    endpointTurns: new ClassedTurns(ENDPOINT_LISTS),
    shares: [],
    inFlight: new List(),
    settling: new List(),
    held: new List(),
    place: 'idle',
    takenBySlow: 0,
    fastAnswerMs: Number.NEGATIVE_INFINITY,
  };
}

function openEndpoint<W extends Work>(tenant: TenantQueue<W>, endpointId: EndpointId): EndpointQueue<W> {
  return {
    ...newcomer,
    endpointId,
    tenant,
    waiting: new List(),
    place: 'idle',
    taken: 0,
    open: 0,
    silentSinceMs: 0,
    spentToMs: Number.NEGATIVE_INFINITY,
    host: null,
    wake: null,
  };
}
