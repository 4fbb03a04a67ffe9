import {
  type Actor,
  deadLetterCount,
  findQuotas,
  findTenant,
  insertAuditEntry,
  inTransaction,
  type NewOperationalEvent,
  noteNearQuota,
  type QuotaChanges,
  type QuotasChange,
  type RateUse,
  rateOfOthers,
  type Sql,
  tenantLoad,
  updateQuotas,
} from '@posthorn/db';
import { changeOf } from '../../access/redact.ts';

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
  /** Together with its audit row: `actor` is who asked. Null when there is no such tenant. */
  update(tenantId: string, quotas: QuotaChanges, actor: Actor): Promise<QuotasChange | null>;
  findUse(tenantId: string, replicaId: string): Promise<StoredUse>;
  /** Keeps those that are news; gives back how many. */
  keepWarnings(quota: string, events: readonly NewOperationalEvent[]): Promise<number>;
}

export function openQuotaStore(sql: Sql): QuotaStore {
  return {
    update: (tenantId, quotas, actor) =>
      inTransaction(sql, (transaction) => update(transaction, tenantId, quotas, actor)),
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

async function update(
  sql: Sql,
  tenantId: string,
  quotas: QuotaChanges,
  actor: Actor,
): Promise<QuotasChange | null> {
  const before = await findQuotas(sql, tenantId);
  const updated = await updateQuotas(sql, tenantId, quotas);
  if (updated?.kind !== 'changed') return updated;
  const change = changeOf({ ...before }, { ...quotas });
  await insertAuditEntry(sql, { actor, action: 'quotas.updated', tenantId, subject: tenantId, ...change });
  return updated;
}
