import type { EndpointId } from '@posthorn/contracts';
import type { EndpointConfig } from '@posthorn/tenant-config';

type Addressed = Pick<EndpointConfig, 'endpointId' | 'url' | 'state' | 'versions'>;

/**
 * Endpoints whose URL has answered 410, until the configuration says so: nothing more is sent there meanwhile. An
 * entry ends when the endpoint is disabled, or has another URL or version (it was enabled again), and after a minute at
 * the latest: if the change could not be made, the next attempt asks the receiver again.
 */
export interface GoneEndpoints {
  add(endpoint: Addressed, nowMs: number): void;
  has(endpoint: Addressed, nowMs: number): boolean;
  readonly size: number;
}

const GONE_FOR_MS = 60_000;
export const MAX_GONE_ENDPOINTS = 10_000;

interface Gone {
  readonly url: string;
  readonly since: number | undefined;
  readonly untilMs: number;
}

const versionOf = ({ versions }: Addressed): number | undefined => versions.at(-1)?.validFrom;

export function createGoneEndpoints(): GoneEndpoints {
  const gone = new Map<EndpointId, Gone>();
  return {
    add(endpoint, nowMs) {
      const { endpointId, url } = endpoint;
      gone.delete(endpointId);
      if (gone.size >= MAX_GONE_ENDPOINTS) gone.delete(gone.keys().next().value!);
      gone.set(endpointId, { url, since: versionOf(endpoint), untilMs: nowMs + GONE_FOR_MS });
    },
    has(endpoint, nowMs) {
      if (gone.size === 0) return false;
      const { endpointId, url, state } = endpoint;
      const entry = gone.get(endpointId);
      if (entry === undefined) return false;
      const isSame = entry.url === url && entry.since === versionOf(endpoint);
      if (state !== 'disabled' && state !== 'deleted' && isSame && nowMs < entry.untilMs) return true;
      gone.delete(endpointId);
      return false;
    },
    get size() {
      return gone.size;
    },
  };
}
