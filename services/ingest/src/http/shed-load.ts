/**
 * Bounds what requests under way may hold: their number, and the bytes of their bodies. Beyond either a request is
 * turned away at once, before its body is read, so that those inside keep their latency. One tenant holds half of it at
 * most, however slowly it sends, and of what asks Postgres no more than a few: the rest is for all others.
 */
export interface LoadShedder {
  /** False: turn it away. True: `leave` must follow once, with the same bytes. */
  enter(bytes: number): boolean;
  leave(bytes: number): void;
  /** The same for a tenant's own share, of a request that has entered. */
  enterFor(tenantId: string, request: TenantRequest): boolean;
  leaveFor(tenantId: string, request: TenantRequest): void;
  readonly requests: number;
  readonly bytes: number;
}

export interface TenantRequest {
  readonly bytes: number;
  /** It asks Postgres: all do but those that send events. */
  readonly isManaging: boolean;
}

const TENANT_SHARE = 0.5;
/** Of one tenant: their questions wait for the same connections as those of all. */
export const MAX_MANAGING_REQUESTS = 50;

interface Held {
  requests: number;
  bytes: number;
  managing: number;
}

export function createLoadShedder(limits: {
  readonly maxRequests: number;
  readonly maxBytes: number;
}): LoadShedder {
  const { maxRequests, maxBytes } = limits;
  const all: Held = { requests: 0, bytes: 0, managing: 0 };
  const ofTenants = new Map<string, Held>();
  return {
    enter(bytes) {
      if (all.requests >= maxRequests || all.bytes + bytes > maxBytes) return false;
      take(all, { bytes, isManaging: false });
      return true;
    },
    leave: (bytes) => give(all, { bytes, isManaging: false }),
    enterFor(tenantId, request) {
      const { bytes, isManaging } = request;
      const own = ofTenants.get(tenantId) ?? { requests: 0, bytes: 0, managing: 0 };
      // Its only one may be as large as any.
      const isOver =
        own.requests >= maxRequests * TENANT_SHARE || own.bytes + bytes > maxBytes * TENANT_SHARE;
      if (own.requests > 0 && isOver) return false;
      if (isManaging && own.managing >= MAX_MANAGING_REQUESTS) return false;
      take(own, request);
      ofTenants.set(tenantId, own);
      return true;
    },
    leaveFor(tenantId, request) {
      const own = ofTenants.get(tenantId)!;
      give(own, request);
      if (own.requests === 0) ofTenants.delete(tenantId);
    },
    get requests() {
      return all.requests;
    },
    get bytes() {
      return all.bytes;
    },
  };
}

function take(held: Held, { bytes, isManaging }: TenantRequest): void {
  held.requests += 1;
  held.bytes += bytes;
  held.managing += Number(isManaging);
}

function give(held: Held, { bytes, isManaging }: TenantRequest): void {
  held.requests -= 1;
  held.bytes -= bytes;
  held.managing -= Number(isManaging);
}
