import {
  deadLetterCount,
  findQuotas,
  findTenant,
  type NewOperationalEvent,
  noteNearQuota,
  type PoolSql,
  type RateUse,
  rateOfOthers,
  tenantLoad,
} from '@posthorn/db';

/** What a tenant uses now, as Postgres knows it: dead letters, what workers and other replicas have said last. */
export interface StoredUse {
  readonly plan: string | null;
  readonly overrides: readonly string[];
  readonly deadLetters: number;
  readonly inFlight: number;
  readonly queued: number;
  /** Of all replicas but the one that asks. */
  readonly events: RateUse;
}

export interface QuotaStore {
  findUse(tenantId: string, replicaId: string): Promise<StoredUse>;
  /** Keeps those that are news; gives back how many. */
  keepWarnings(quota: string, events: readonly NewOperationalEvent[]): Promise<number>;
}

export function openQuotaStore(sql: PoolSql): QuotaStore {
  return {
    async findUse(tenantId, replicaId) {
      const [tenant, quotas, deadLetters, { inFlight, queued }, events] = await Promise.all([
        findTenant(sql, tenantId),
        findQuotas(sql, tenantId),
        deadLetterCount(sql, tenantId),
        tenantLoad(sql, tenantId),
        rateOfOthers(sql, tenantId, replicaId),
      ]);
      const overrides = quotas?.overrides ?? [];
      return { plan: tenant?.plan ?? null, overrides, deadLetters, inFlight, queued, events };
    },
    keepWarnings: (quota, events) => noteNearQuota(sql, quota, events),
  };
}
