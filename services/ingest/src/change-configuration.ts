import type { MintedKey } from '@posthorn/contracts';
import {
  type Actor,
  type CancellationResult,
  type CancellationScope,
  createTenant,
  findQuotas,
  findTenant,
  insertApiKey,
  insertAuditEntry,
  insertCancellation,
  inTransaction,
  type LanesChange,
  type NewTenant,
  type PoolSql,
  type QuotaChanges,
  type QuotasChange,
  setLanes,
  type TenantCreation,
  updateQuotas,
} from '@posthorn/db';
import { changeOf } from './access/redact.ts';

/** Every change of configuration, in one transaction with its audit row: `actor` is who asked. */
export interface ConfigurationChanges {
  createTenant(tenant: NewTenant, key: MintedKey, actor: Actor): Promise<TenantCreation>;
  updateQuotas(tenantId: string, quotas: QuotaChanges, actor: Actor): Promise<QuotasChange | null>;
  setLanes(tenantId: string, lanes: readonly number[], actor: Actor): Promise<LanesChange | null>;
  cancelDeliveries(
    tenantId: string,
    scope: CancellationScope,
    actor: Actor,
  ): Promise<CancellationResult | null>;
}

export function openChanges(pool: PoolSql): ConfigurationChanges {
  return {
    createTenant: (tenant, key, actor) =>
      inTransaction(pool, async (sql) => {
        const { tenantId } = tenant;
        const created = await createTenant(sql, tenant);
        if (created.kind !== 'created') return created;
        await insertApiKey(sql, { ...key, kind: 'tenant', tenantId, createdBy: actor.keyId });
        await insertAuditEntry(sql, {
          actor,
          action: 'tenant.created',
          tenantId,
          subject: tenantId,
          after: { ...tenant },
          detail: { keyId: key.keyId },
        });
        return created;
      }),
    updateQuotas: (tenantId, quotas, actor) =>
      inTransaction(pool, async (sql) => {
        const before = await findQuotas(sql, tenantId);
        const updated = await updateQuotas(sql, tenantId, quotas);
        if (updated?.kind !== 'changed') return updated;
        await insertAuditEntry(sql, {
          actor,
          action: 'quotas.updated',
          tenantId,
          subject: tenantId,
          ...changeOf({ ...before }, { ...quotas }),
        });
        return updated;
      }),
    setLanes: (tenantId, lanes, actor) =>
      inTransaction(pool, async (sql) => {
        const before = await findTenant(sql, tenantId);
        const changed = await setLanes(sql, tenantId, lanes);
        if (changed?.kind !== 'changed') return changed;
        await insertAuditEntry(sql, {
          actor,
          action: 'lanes.updated',
          tenantId,
          subject: tenantId,
          ...changeOf({ ...before }, { lanes }),
        });
        return changed;
      }),
    cancelDeliveries: (tenantId, scope, actor) =>
      inTransaction(pool, async (sql) => {
        const inserted = await insertCancellation(sql, tenantId, scope);
        if (inserted?.kind !== 'cancelled') return inserted;
        const subject = scope.eventId ?? scope.endpointId ?? tenantId;
        await insertAuditEntry(sql, { actor, action: 'deliveries.cancelled', tenantId, subject });
        return inserted;
      }),
  };
}
