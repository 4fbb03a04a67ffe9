import type { Clock } from '@posthorn/runtime';
import type { EndpointConfig, Lookup, TenantConfig, TenantConfigs } from '@posthorn/tenant-config';
import type { DeliverySlot } from '../intake/delivery-work.ts';
import type { CancelReason } from '../settle/made.ts';

/** Where a slot stands by its tenant's configuration of this moment. */
export type Loaded =
  | { readonly kind: 'ready'; readonly tenant: TenantConfig; readonly endpoint: EndpointConfig }
  | { readonly kind: 'cancelled'; readonly reason: CancelReason }
  | { readonly kind: 'aside'; readonly lanes: readonly number[] | null };

export interface EndpointLoader {
  /** Answers at once when the configuration is at hand. */
  load(slot: DeliverySlot): Loaded | Promise<Loaded>;
  /** Slots of a tenant that may be in flight in a lane now. */
  capOf(tenantId: string, lane: number, nowMs: number): number;
}

export interface LoaderOptions {
  readonly configs: Pick<TenantConfigs, 'peek' | 'get'>;
  readonly clock: Clock;
}

/** A tenant that is not known yet is asked about by one slot; the others wait for the answer, and with it the cap. */
const CAP_WHILE_UNKNOWN = 1;
/** While its configuration cannot be had nothing is sent, so that many slots can be put aside at once. */
const CAP_WHILE_UNAVAILABLE = 50;
const UNAVAILABLE_FOR_MS = 1_000;
/** A slot let through at the last moment still finds the answer its cap came from. */
const GRACE_MS = 200;
const MAX_UNAVAILABLE_TENANTS = 10_000;

/** Looks an endpoint up when its attempt is due, not when its record came in: a deletion holds for what waits. */
export function createEndpointLoader({ configs, clock }: LoaderOptions): EndpointLoader {
  const unavailableUntil = new Map<string, number>();

  function remember(tenantId: string): void {
    if (unavailableUntil.size >= MAX_UNAVAILABLE_TENANTS) unavailableUntil.clear();
    unavailableUntil.set(tenantId, clock.nowMs() + UNAVAILABLE_FOR_MS);
  }

  function isUnavailable(tenantId: string, nowMs: number): boolean {
    const untilMs = unavailableUntil.get(tenantId);
    if (untilMs === undefined) return false;
    if (nowMs >= untilMs + GRACE_MS) unavailableUntil.delete(tenantId);
    return nowMs < untilMs;
  }

  async function ask(slot: DeliverySlot, atLeastRevision: number): Promise<Loaded> {
    const { tenantId } = slot.work;
    const lookup = await configs.get(tenantId, atLeastRevision);
    if (lookup.kind === 'unavailable') remember(tenantId);
    return judge(slot, lookup);
  }

  return {
    load(slot) {
      const { tenantId, event } = slot.work;
      const tenant = configs.peek(tenantId);
      if (tenant !== undefined) {
        const endpoint = tenant.endpoints.get(slot.endpointId);
        if (endpoint !== undefined) return stateOf(tenant, endpoint);
        // The endpoint may be younger than our copy, never younger than the event's own revision.
        if (tenant.revision >= event.revision) return { kind: 'cancelled', reason: 'endpoint_unknown' };
      } else if (isUnavailable(tenantId, clock.nowMs() - GRACE_MS)) {
        return { kind: 'aside', lanes: null };
      }
      return ask(slot, event.revision);
    },
    capOf(tenantId, lane, nowMs) {
      const tenant = configs.peek(tenantId);
      if (tenant !== undefined) return shareOfCap(tenant, lane);
      return isUnavailable(tenantId, nowMs) ? CAP_WHILE_UNAVAILABLE : CAP_WHILE_UNKNOWN;
    },
  };
}

function judge(slot: DeliverySlot, lookup: Lookup): Loaded {
  switch (lookup.kind) {
    case 'found': {
      const endpoint = lookup.config.endpoints.get(slot.endpointId);
      if (endpoint === undefined) return { kind: 'cancelled', reason: 'endpoint_unknown' };
      return stateOf(lookup.config, endpoint);
    }
    case 'unknown_tenant':
      return { kind: 'cancelled', reason: 'tenant_unknown' };
    case 'unavailable':
      return { kind: 'aside', lanes: null };
    default:
      return lookup satisfies never;
  }
}

function stateOf(tenant: TenantConfig, endpoint: EndpointConfig): Loaded {
  switch (endpoint.state) {
    case 'active':
      return { kind: 'ready', tenant, endpoint };
    case 'disabled':
      return { kind: 'cancelled', reason: 'endpoint_disabled' };
    case 'deleted':
      return { kind: 'cancelled', reason: 'endpoint_deleted' };
    default:
      return endpoint.state satisfies never;
  }
}

/**
 * A tenant's cap is split over its lanes, so that their sum is exact wherever the lanes are. A lane it has left keeps
 * one place until it has drained.
 */
export function shareOfCap(tenant: Pick<TenantConfig, 'lanes' | 'quotas'>, lane: number): number {
  const cap = Math.max(1, tenant.quotas.maxConcurrentDeliveries);
  const { lanes } = tenant;
  if (lanes.length === 1 && lanes[0] === lane) return cap;
  const place = lanes.indexOf(lane);
  if (place === -1) return 1;
  const share = Math.floor(cap / lanes.length) + (place < cap % lanes.length ? 1 : 0);
  return Math.max(1, share);
}
