import type { EndpointId } from '@posthorn/contracts';
import type { EndpointConfig } from '@posthorn/tenant-config';

type Addressed = Pick<EndpointConfig, 'endpointId' | 'url' | 'state'>;

/**
 * Endpoints whose URL has answered 410, until the configuration says so: nothing more is sent there meanwhile. An
 * entry ends when the endpoint is disabled or has another URL, and after a minute at the latest: if the change could
 * not be made, the next attempt asks the receiver again.
 */
export interface GoneEndpoints {
  add(endpoint: Addressed, nowMs: number): void;
  has(endpoint: Addressed, nowMs: number): boolean;
  readonly size: number;
}

const GONE_FOR_MS = 60_000;
export const MAX_GONE_ENDPOINTS = 10_000;

export function createGoneEndpoints(): GoneEndpoints {
  const gone = new Map<EndpointId, { readonly url: string; readonly untilMs: number }>();
  return {
    add({ endpointId, url }, nowMs) {
      gone.delete(endpointId);
      if (gone.size >= MAX_GONE_ENDPOINTS) gone.delete(gone.keys().next().value!);
      gone.set(endpointId, { url, untilMs: nowMs + GONE_FOR_MS });
    },
    has({ endpointId, url, state }, nowMs) {
      if (gone.size === 0) return false;
      const entry = gone.get(endpointId);
      if (entry === undefined) return false;
      if (state !== 'disabled' && state !== 'deleted' && entry.url === url && nowMs < entry.untilMs)
        return true;
      gone.delete(endpointId);
      return false;
    },
    get size() {
      return gone.size;
    },
  };
}
