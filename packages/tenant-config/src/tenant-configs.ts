import type { TenantId } from '@posthorn/contracts';
import { type Database, MAX_CHANGES_PER_POLL, REPLICA_LIVE_MS } from '@posthorn/db';
import type { Clock, Logger } from '@posthorn/runtime';
import { type ConfigCache, createConfigCache } from './config-cache.ts';
import { type ConfigSource, databaseSource } from './config-source.ts';
import { createTenantLoader, type Loaded } from './load-tenants.ts';
import type { SecretsKey } from './sealed-secret.ts';
import { type TenantConfig, toTenantConfig } from './tenant-config.ts';

export type Lookup =
  | { readonly kind: 'found'; readonly config: TenantConfig }
  | { readonly kind: 'unknown_tenant' }
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface TenantConfigsOptions {
  readonly database: Pick<Database, 'sql'>;
  readonly secretsKey: SecretsKey;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly clock: Clock;
  readonly pollIntervalMs?: number;
  /** Bound of the cache. */
  readonly maxEndpoints?: number;
  /** How long a cached tenant is served that could not be compared with Postgres. */
  readonly maxAgeMs?: number;
  /** Given by ingest: reports what it has applied, so that changes can wait for it. */
  readonly replicaId?: string;
  /** In place of Postgres. */
  readonly source?: ConfigSource;
}

export const DEFAULT_POLL_INTERVAL_MS = 2_000;
export const REPLICA_POLL_INTERVAL_MS = 100;
export const DEFAULT_MAX_ENDPOINTS = 100_000;
export const DEFAULT_MAX_AGE_MS = 3_600_000;
/** How long "no such tenant" is believed without asking again; a change that is seen ends it at once. */
export const UNKNOWN_TENANT_TTL_MS = 1_000;
export const MAX_UNKNOWN_TENANTS = 10_000;
export const DEFAULT_APPLY_TIMEOUT_MS = 5_000;
/** A replica counts itself out this much before others may: its report was sent before Postgres dated it. */
const FRESH_MARGIN_MS = 100;

export interface TenantConfigsStats {
  readonly tenants: number;
  readonly endpoints: number;
  readonly evictions: number;
  readonly waitingLoads: number;
  readonly unknownTenants: number;
  /** Milliseconds since the configuration was last known to be current; null before the first time. */
  readonly ageMs: number | null;
  readonly away: boolean;
}

/**
 * The configuration of tenants, cached, at most a poll behind Postgres.
 *
 * Modes: `unsynced` (no poll has succeeded yet) → `current` ⇄ `away` (the last poll failed). A poll moves between
 * them. While away cached tenants are served until `maxAgeMs`, others are `unavailable`.
 */
export interface TenantConfigs {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** What is cached, at once. On a replica only as good as `fresh` is true. */
  peek(tenantId: TenantId): TenantConfig | undefined;
  /** Not older than `atLeastRevision`. A replica that is not fresh polls first, unless Postgres is away. */
  get(tenantId: TenantId, atLeastRevision?: number): Promise<Lookup>;
  /** Compares with Postgres now; false when it does not answer. */
  poll(): Promise<boolean>;
  /** Every change up to this number is visible here; -1 before the first poll. */
  readonly applied: number;
  /** Whether no change can have been confirmed without this replica. False: `poll` before a revision is stamped. */
  readonly fresh: boolean;
  /** Resolves once this and every other live replica has applied `change`; false when that took too long. */
  whenApplied(change: number, timeoutMs?: number): Promise<boolean>;
  stats(): TenantConfigsStats;
}

export function createTenantConfigs(options: TenantConfigsOptions): TenantConfigs {
  const { clock, log, secretsKey } = options;
  const source = options.source ?? databaseSource(options.database, options.replicaId);
  const pollIntervalMs =
    options.pollIntervalMs ?? (options.replicaId ? REPLICA_POLL_INTERVAL_MS : DEFAULT_POLL_INTERVAL_MS);
  const maxAgeMs = options.maxAgeMs ?? DEFAULT_MAX_AGE_MS;
  const cache: ConfigCache = createConfigCache(options.maxEndpoints ?? DEFAULT_MAX_ENDPOINTS);
  const loader = createTenantLoader((tenantIds) => source.load(tenantIds));
  const unknown = new Map<TenantId, number>();
  const waiters = new Set<() => void>();

  let applied = -1;
  let appliedEverywhere = -1;
  let currentAtMs = Number.NEGATIVE_INFINITY;
  let away = false;
  let running = false;
  let timer: NodeJS.Timeout | undefined;
  let polling: Promise<boolean> | undefined;
  let pollingNext: Promise<boolean> | undefined;

  async function syncOnce(): Promise<void> {
    if (applied === -1) {
      const sequence = await source.sequence();
      // What was loaded before the number was read may miss a change up to it.
      cache.clear();
      unknown.clear();
      applied = sequence;
    }
    let changed: number;
    do {
      const sentAtMs = clock.monotonicMs();
      const { sequence, changes, appliedByOthers } = await source.poll(applied);
      if (sequence < applied) {
        log.warn({ applied, sequence }, 'configuration sequence went back, loading everything again');
        cache.clear();
      }
      await applyChanges(changes);
      applied = sequence;
      currentAtMs = sentAtMs;
      appliedEverywhere = appliedByOthers === null ? applied : Math.min(applied, appliedByOthers);
      changed = changes.length;
    } while (changed >= MAX_CHANGES_PER_POLL);
    for (const wake of waiters) wake();
  }

  async function applyChanges(changes: readonly { tenantId: TenantId; revision: number }[]): Promise<void> {
    const reloads: Promise<Loaded>[] = [];
    for (const { tenantId, revision } of changes) {
      unknown.delete(tenantId);
      loader.requireRevision(tenantId, revision);
      const cached = cache.get(tenantId);
      if (cached !== undefined && cached.revision < revision) reloads.push(fetch(tenantId, revision));
    }
    for (const loaded of await Promise.all(reloads)) {
      if (loaded.kind === 'failed') throw new Error(loaded.reason);
    }
  }

  async function fetch(tenantId: TenantId, floor: number): Promise<Loaded> {
    const loaded = await loader.load(tenantId, floor);
    if (loaded.kind === 'row') cache.put(toTenantConfig(loaded.row, secretsKey), clock.monotonicMs());
    else if (loaded.kind === 'absent') {
      cache.remove(tenantId);
      if (unknown.size >= MAX_UNKNOWN_TENANTS) unknown.clear();
      unknown.set(tenantId, clock.monotonicMs() + UNKNOWN_TENANT_TTL_MS);
    }
    return loaded;
  }

  async function pollOnce(): Promise<boolean> {
    try {
      await syncOnce();
      if (away) log.info({ applied }, 'configuration is current again');
      away = false;
    } catch (error) {
      if (!away) log.warn({ err: error }, 'configuration cannot be read, serving what is cached');
      away = true;
      const oldestMs = clock.monotonicMs() - maxAgeMs;
      if (currentAtMs < oldestMs) cache.removeLoadedBefore(oldestMs);
    }
    return !away;
  }

  /** A poll that starts after this call: it sees what was committed before. */
  function poll(): Promise<boolean> {
    if (polling === undefined) {
      polling = pollOnce().finally(() => {
        polling = undefined;
      });
      return polling;
    }
    pollingNext ??= polling.then(() => {
      pollingNext = undefined;
      return poll();
    });
    return pollingNext;
  }

  function schedule(): void {
    if (!running) return;
    timer = setTimeout(() => void poll().then(schedule), pollIntervalMs);
  }

  const isFresh = (): boolean =>
    options.replicaId === undefined
      ? applied !== -1 && !away
      : clock.monotonicMs() - currentAtMs < REPLICA_LIVE_MS - FRESH_MARGIN_MS;

  async function get(tenantId: TenantId, atLeastRevision = 0): Promise<Lookup> {
    if (options.replicaId !== undefined && !away && !isFresh()) await poll();
    const cached = cache.get(tenantId);
    if (cached !== undefined && cached.revision >= atLeastRevision) return { kind: 'found', config: cached };
    if (atLeastRevision === 0 && (unknown.get(tenantId) ?? 0) > clock.monotonicMs())
      return { kind: 'unknown_tenant' };
    const loaded = await fetch(tenantId, atLeastRevision);
    if (loaded.kind === 'absent') return { kind: 'unknown_tenant' };
    if (loaded.kind === 'failed') return { kind: 'unavailable', reason: loaded.reason };
    const config = cache.get(tenantId) ?? toTenantConfig(loaded.row, secretsKey);
    if (config.revision >= atLeastRevision) return { kind: 'found', config };
    return {
      kind: 'unavailable',
      reason: `revision ${atLeastRevision} is not in Postgres, ${config.revision} is`,
    };
  }

  async function whenApplied(change: number, timeoutMs = DEFAULT_APPLY_TIMEOUT_MS): Promise<boolean> {
    void poll();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const wake = () => {
      if (appliedEverywhere >= change) resolve(true);
    };
    const late = setTimeout(() => resolve(false), timeoutMs);
    waiters.add(wake);
    wake();
    try {
      return await promise;
    } finally {
      clearTimeout(late);
      waiters.delete(wake);
    }
  }

  return {
    async start() {
      if (running) return;
      running = true;
      await poll();
      schedule();
    },
    async stop() {
      if (!running) return;
      running = false;
      clearTimeout(timer);
      await polling;
      await source.leave().catch(() => undefined);
    },
    peek: (tenantId) => cache.get(tenantId),
    get,
    poll,
    get applied() {
      return applied;
    },
    get fresh() {
      return isFresh();
    },
    whenApplied,
    stats: () => ({
      tenants: cache.tenants,
      endpoints: cache.endpoints,
      evictions: cache.evictions,
      waitingLoads: loader.waiting,
      unknownTenants: unknown.size,
      ageMs: Number.isFinite(currentAtMs) ? clock.monotonicMs() - currentAtMs : null,
      away,
    }),
  };
}
