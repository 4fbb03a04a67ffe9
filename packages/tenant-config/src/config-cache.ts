import type { TenantId } from '@posthorn/contracts';
import type { TenantConfig } from './tenant-config.ts';

interface Entry {
  readonly config: TenantConfig;
  readonly weight: number;
  readonly loadedAtMs: number;
  /** Looked at since eviction last passed by. */
  used: boolean;
}

/**
 * Tenants' configurations, bounded by the number of endpoints in them. Eviction gives what was used a second chance
 * instead of keeping an order of use: a look-up stays one map access.
 */
export interface ConfigCache {
  get(tenantId: TenantId): TenantConfig | undefined;
  /** Keeps the newer revision of the two; gives back the one that is kept. */
  put(config: TenantConfig, nowMs: number): TenantConfig;
  remove(tenantId: TenantId): void;
  removeLoadedBefore(monotonicMs: number): void;
  clear(): void;
  readonly tenants: number;
  readonly endpoints: number;
  readonly evictions: number;
}

export function createConfigCache(maxEndpoints: number): ConfigCache {
  const entries = new Map<TenantId, Entry>();
  let endpoints = 0;
  let evictions = 0;

  function remove(tenantId: TenantId): void {
    const entry = entries.get(tenantId);
    if (entry === undefined) return;
    entries.delete(tenantId);
    endpoints -= entry.weight;
  }

  function evict(): void {
    while (endpoints > maxEndpoints && entries.size > 1) {
      const [tenantId, entry] = entries.entries().next().value!;
      if (entry.used) {
        entry.used = false;
        entries.delete(tenantId);
        entries.set(tenantId, entry);
      } else {
        remove(tenantId);
        evictions++;
      }
    }
  }

  return {
    get(tenantId) {
      const entry = entries.get(tenantId);
      if (entry === undefined) return undefined;
      entry.used = true;
      return entry.config;
    },
    put(config, nowMs) {
      const present = entries.get(config.tenantId);
      if (present !== undefined && present.config.revision > config.revision) return present.config;
      remove(config.tenantId);
      const weight = Math.max(1, config.endpoints.size);
      entries.set(config.tenantId, { config, weight, loadedAtMs: nowMs, used: true });
      endpoints += weight;
      evict();
      return config;
    },
    remove,
    removeLoadedBefore(monotonicMs) {
      for (const [tenantId, entry] of entries) if (entry.loadedAtMs < monotonicMs) remove(tenantId);
    },
    clear() {
      entries.clear();
      endpoints = 0;
    },
    get tenants() {
      return entries.size;
    },
    get endpoints() {
      return endpoints;
    },
    get evictions() {
      return evictions;
    },
  };
}
