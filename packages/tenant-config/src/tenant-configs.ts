import type { TenantId } from '@posthorn/contracts';
import { type Database, REPLICA_LIVE_MS, type TenantChange } from '@posthorn/db';
import type { Clock, Logger } from '@posthorn/runtime';
import type { KeyRing } from '@posthorn/secrets';
import { createConfigCache } from './config-cache.ts';
import { type ConfigSource, databaseSource, type RateExchange } from './config-source.ts';
import { createChangeFollower } from './follow-changes.ts';
import { createTenantLoader, type Loaded } from './load-tenants.ts';
import { type TenantConfig, toTenantConfig } from './tenant-config.ts';

export type Lookup =
  | { readonly kind: 'found'; readonly config: TenantConfig }
  | { readonly kind: 'unknown_tenant' }
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface TenantConfigsOptions {
  readonly database: Pick<Database, 'sql'>;
  /** Null: secrets of endpoints are not loaded, and looking at one is an error. */
  readonly keyRing: KeyRing | null;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly clock: Clock;
  readonly pollIntervalMs?: number;
  /** Bound of the cache. */
  readonly maxEndpoints?: number;
  /** How long a cached tenant is served that could not be compared with Postgres. */
  readonly maxAgeMs?: number;
  /** Given by ingest: reports what it has applied, so that changes can wait for it. */
  readonly replicaId?: string;
  /** Shared with the other replicas in the same statement. */
  readonly rates?: RateExchange;
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
 * The configuration of tenants, cached, at most a poll behind Postgres (modes: `ChangeFollower`). While Postgres is away
 * cached tenants are served until `maxAgeMs`, others are `unavailable`.
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

const replicaOf = ({ replicaId, rates, clock }: TenantConfigsOptions) =>
  replicaId === undefined ? undefined : { replicaId, rates, clock };

export function createTenantConfigs(options: TenantConfigsOptions): TenantConfigs {
  const { clock, keyRing, replicaId } = options;
  const source =
    options.source ??
    databaseSource(options.database, { replica: replicaOf(options), withSecrets: keyRing !== null });
  const cache = createConfigCache(options.maxEndpoints ?? DEFAULT_MAX_ENDPOINTS);
  const loader = createTenantLoader((tenantIds) => source.load(tenantIds));
  const unknown = new Map<TenantId, number>();
  const follower = createChangeFollower({
    source,
    clock,
    log: options.log,
    pollIntervalMs:
      options.pollIntervalMs ?? (replicaId ? REPLICA_POLL_INTERVAL_MS : DEFAULT_POLL_INTERVAL_MS),
    maxAgeMs: options.maxAgeMs ?? DEFAULT_MAX_AGE_MS,
    apply,
    expire: (olderThanMs) => cache.removeLoadedBefore(olderThanMs),
    forget() {
      cache.clear();
      unknown.clear();
    },
  });

  async function apply(changes: readonly TenantChange[]): Promise<void> {
    const reloads: Promise<Loaded>[] = [];
    for (const { tenantId, revision } of changes) {
      unknown.delete(tenantId);
      loader.requireRevision(tenantId, revision);
      const cached = cache.get(tenantId);
      if (cached !== undefined && cached.revision < revision) reloads.push(load(tenantId, revision));
    }
    for (const loaded of await Promise.all(reloads)) {
      if (loaded.kind === 'failed') throw new Error(loaded.reason);
    }
  }

  async function load(tenantId: TenantId, floor: number): Promise<Loaded> {
    const loaded = await loader.load(tenantId, floor);
    if (loaded.kind === 'row') cache.put(toTenantConfig(loaded.row, keyRing), clock.monotonicMs());
    else if (loaded.kind === 'absent') {
      cache.remove(tenantId);
      if (unknown.size >= MAX_UNKNOWN_TENANTS) unknown.clear();
      unknown.set(tenantId, clock.monotonicMs() + UNKNOWN_TENANT_TTL_MS);
    }
    return loaded;
  }

  const isFresh = (): boolean =>
    replicaId === undefined
      ? follower.applied !== -1 && !follower.away
      : clock.monotonicMs() - follower.currentAtMs < REPLICA_LIVE_MS - FRESH_MARGIN_MS;

  async function get(tenantId: TenantId, atLeastRevision = 0): Promise<Lookup> {
    if (replicaId !== undefined && !follower.away && !isFresh()) await follower.poll();
    const cached = cache.get(tenantId);
    if (cached !== undefined && cached.revision >= atLeastRevision) return { kind: 'found', config: cached };
    if (atLeastRevision === 0 && (unknown.get(tenantId) ?? 0) > clock.monotonicMs())
      return { kind: 'unknown_tenant' };
    const loaded = await load(tenantId, atLeastRevision);
    if (loaded.kind === 'absent') return { kind: 'unknown_tenant' };
    if (loaded.kind === 'failed') return { kind: 'unavailable', reason: loaded.reason };
    const config = cache.get(tenantId) ?? toTenantConfig(loaded.row, keyRing);
    if (config.revision >= atLeastRevision) return { kind: 'found', config };
    const reason = `revision ${atLeastRevision} is not in Postgres, ${config.revision} is`;
    return { kind: 'unavailable', reason };
  }

  return {
    start: () => follower.start(),
    stop: () => follower.stop(),
    peek: (tenantId) => cache.get(tenantId),
    get,
    poll: () => follower.poll(),
    get applied() {
      return follower.applied;
    },
    get fresh() {
      return isFresh();
    },
    whenApplied: (change, timeoutMs = DEFAULT_APPLY_TIMEOUT_MS) => follower.whenApplied(change, timeoutMs),
    stats: () => ({
      tenants: cache.tenants,
      endpoints: cache.endpoints,
      evictions: cache.evictions,
      waitingLoads: loader.waiting,
      unknownTenants: unknown.size,
      ageMs: follower.applied === -1 ? null : clock.monotonicMs() - follower.currentAtMs,
      away: follower.away,
    }),
  };
}
