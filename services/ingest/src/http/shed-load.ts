/**
 * Bounds what requests under way may hold: their number, and the bytes of their bodies. Beyond either a request is
 * turned away at once, before its body is read, so that those inside keep their latency. One tenant holds half of it at
 * most, however slowly it sends: the other half is for all others.
 */
export interface LoadShedder {
  /** False: turn it away. True: `leave` must follow once, with the same bytes. */
  enter(bytes: number): boolean;
  leave(bytes: number): void;
  /** The same for a tenant's own share, of a request that has entered. */
  enterFor(tenantId: string, bytes: number): boolean;
  leaveFor(tenantId: string, bytes: number): void;
  readonly requests: number;
  readonly bytes: number;
}

const TENANT_SHARE = 0.5;

interface Held {
  requests: number;
  bytes: number;
}

export function createLoadShedder(limits: {
  readonly maxRequests: number;
  readonly maxBytes: number;
}): LoadShedder {
  const { maxRequests, maxBytes } = limits;
  const all: Held = { requests: 0, bytes: 0 };
  const ofTenants = new Map<string, Held>();
  return {
    enter(bytes) {
      if (all.requests >= maxRequests || all.bytes + bytes > maxBytes) return false;
      take(all, bytes);
      return true;
    },
    leave: (bytes) => give(all, bytes),
    enterFor(tenantId, bytes) {
      const own = ofTenants.get(tenantId);
      if (own === undefined) {
        // Its only one may be as large as any.
        ofTenants.set(tenantId, { requests: 1, bytes });
        return true;
      }
      if (own.requests >= maxRequests * TENANT_SHARE || own.bytes + bytes > maxBytes * TENANT_SHARE)
        return false;
      take(own, bytes);
      return true;
    },
    leaveFor(tenantId, bytes) {
      const own = ofTenants.get(tenantId)!;
      give(own, bytes);
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

function take(held: Held, bytes: number): void {
  held.requests += 1;
  held.bytes += bytes;
}

function give(held: Held, bytes: number): void {
  held.requests -= 1;
  held.bytes -= bytes;
}
