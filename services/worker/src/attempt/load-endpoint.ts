import type { EndpointId } from '@posthorn/contracts';
import type { Clock } from '@posthorn/runtime';
import {
  type EndpointConfig,
  isCancelled,
  type Lookup,
  type TenantConfig,
  type TenantConfigs,
} from '@posthorn/tenant-config';
import type { DeliverySlot } from '../intake/delivery-work.ts';
import type { Breaker } from '../schedule/breaker.ts';
import type { EndpointLimits } from '../schedule/scheduler.ts';
import type { CancelReason, Conclusion, Gone } from '../settle/made.ts';
import type { GoneEndpoints } from './gone-endpoints.ts';

/** Where a slot stands by its tenant's configuration of this moment. */
export type Loaded =
  | { readonly kind: 'ready'; readonly tenant: TenantConfig; readonly endpoint: EndpointConfig }
  | { readonly kind: 'cancelled'; readonly reason: CancelReason }
  | Extract<Conclusion, { kind: 'aside' }>
  | Gone;

export interface EndpointLoader {
  /** Answers at once when the configuration is at hand. */
  load(slot: DeliverySlot): Loaded | Promise<Loaded>;
  /** Slots of a tenant that may be in flight in a lane now. */
  capOf(tenantId: string, lane: number): number;
  /** Over all lanes of this worker; no bound while it is not known. */
  wholeCapOf(tenantId: string): number;
  /** Null while the endpoint is not known. */
  limitsOf(tenantId: string, endpointId: EndpointId): EndpointLimits | null;
}

export interface LoaderOptions {
  readonly configs: Pick<TenantConfigs, 'peek' | 'get'>;
  readonly clock: Clock;
  readonly gone: Pick<GoneEndpoints, 'has'>;
  readonly breaker: Pick<Breaker, 'isOpen'>;
}

/** A tenant that is not known yet is asked about by one slot; the others wait for the answer, and with it the cap. */
const CAP_WHILE_UNKNOWN = 1;
/** While its configuration cannot be had nothing is sent, so that many slots can be put aside at once. */
const CAP_WHILE_UNAVAILABLE = 50;
const UNAVAILABLE_FOR_MS = 1_000;
/** A slot let through at the last moment still finds the answer its cap came from. */
const GRACE_MS = 200;
const MAX_UNAVAILABLE_TENANTS = 10_000;

const UNAVAILABLE: Loaded = { kind: 'aside', reason: 'unavailable', lanes: null };

/** Looks an endpoint up when its attempt is due, not when its record came in: a deletion holds for what waits. */
export function createEndpointLoader(options: LoaderOptions): EndpointLoader {
  const { configs, clock, breaker } = options;
  const unavailableUntil = new Map<string, number>();
  const limitsBy = new WeakMap<EndpointConfig, EndpointLimits>();

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
    return judge(options, slot, lookup);
  }

  return {
    load(slot) {
      const { tenantId, event } = slot.work;
      const tenant = configs.peek(tenantId);
      if (tenant !== undefined) {
        const endpoint = tenant.endpoints.get(slot.endpointId);
        if (endpoint !== undefined) return stateOf(options, slot, tenant, endpoint);
        // The endpoint may be younger than our copy, never younger than the event's own revision.
        if (tenant.revision >= event.revision) return { kind: 'cancelled', reason: 'endpoint_unknown' };
      } else if (isUnavailable(tenantId, clock.nowMs() - GRACE_MS)) {
        return UNAVAILABLE;
      }
      return ask(slot, event.revision);
    },
    capOf(tenantId, lane) {
      const tenant = configs.peek(tenantId);
      if (tenant !== undefined) return shareOfCap(tenant, lane);
      return isUnavailable(tenantId, clock.nowMs()) ? CAP_WHILE_UNAVAILABLE : CAP_WHILE_UNKNOWN;
    },
    wholeCapOf: (tenantId) =>
      configs.peek(tenantId)?.quotas.maxConcurrentDeliveries ?? Number.POSITIVE_INFINITY,
    limitsOf(tenantId, endpointId) {
      const endpoint = configs.peek(tenantId)?.endpoints.get(endpointId);
      if (endpoint === undefined) return null;
      let limits = limitsBy.get(endpoint);
      if (limits === undefined) {
        limits = readLimits(endpoint);
        limitsBy.set(endpoint, limits);
      }
      // What only moves to a tier costs the receiver nothing, and must not wait for its rate.
      return limits.maxPerSec !== null && breaker.isOpen(endpointId)
        ? { ...limits, maxPerSec: null }
        : limits;
    },
  };
}

function readLimits({ url, state, maxConcurrency, maxPerSec }: EndpointConfig): EndpointLimits {
  const host = URL.parse(url)?.host ?? '';
  return { maxConcurrency, maxPerSec: state === 'active' ? maxPerSec : null, host };
}

function judge(options: LoaderOptions, slot: DeliverySlot, lookup: Lookup): Loaded {
  switch (lookup.kind) {
    case 'found': {
      const endpoint = lookup.config.endpoints.get(slot.endpointId);
      if (endpoint === undefined) return { kind: 'cancelled', reason: 'endpoint_unknown' };
      return stateOf(options, slot, lookup.config, endpoint);
    }
    case 'unknown_tenant':
      return { kind: 'cancelled', reason: 'tenant_unknown' };
    case 'unavailable':
      return UNAVAILABLE;
    default:
      return lookup satisfies never;
  }
}

const DISABLED_AFTER: Readonly<Record<string, string>> = {
  gone: 'the receiver answered 410 Gone',
  auto_disabled: 'the endpoint was disabled because it failed for too long',
};

function stateOf(
  options: LoaderOptions,
  slot: DeliverySlot,
  tenant: TenantConfig,
  endpoint: EndpointConfig,
): Loaded {
  const { endpointId, state } = endpoint;
  const { lanes } = tenant;
  // Asked in every state: it forgets what the configuration shows by now.
  const isGone = options.gone.has(endpoint, options.clock.nowMs());
  if (state === 'deleted') return { kind: 'cancelled', reason: 'endpoint_deleted' };
  const { eventId, revision } = slot.work.event;
  if (isCancelled(tenant, { revision, endpointId, eventId })) {
    return { kind: 'cancelled', reason: 'cancelled_by_request' };
  }
  if (isGone) return { kind: 'gone', detail: DISABLED_AFTER.gone!, lanes };
  switch (state) {
    case 'active':
      return { kind: 'ready', tenant, endpoint };
    case 'paused':
      return { kind: 'aside', reason: 'paused', lanes };
    case 'disabled': {
      const detail = DISABLED_AFTER[endpoint.stateReason ?? 'person'];
      if (detail !== undefined) return { kind: 'gone', detail, lanes };
      return { kind: 'cancelled', reason: 'endpoint_disabled' };
    }
    default:
      return state satisfies never;
  }
}

/**
 * A tenant's cap is split over its lanes, so that their sum is exact wherever the lanes are. Lanes it has left and that
 * have not drained yet have their part; a lane that is none of either keeps one place, to move away what it holds.
 */
export function shareOfCap(
  tenant: Pick<TenantConfig, 'lanes' | 'drainingLanes' | 'quotas'>,
  lane: number,
): number {
  const cap = Math.max(1, tenant.quotas.maxConcurrentDeliveries);
  const { lanes, drainingLanes } = tenant;
  const sharing = drainingLanes.length === 0 ? lanes : [...new Set([...lanes, ...drainingLanes])];
  if (sharing.length === 1 && sharing[0] === lane) return cap;
  const place = sharing.indexOf(lane);
  if (place === -1) return 1;
  const share = Math.floor(cap / sharing.length) + (place < cap % sharing.length ? 1 : 0);
  return Math.max(1, share);
}
