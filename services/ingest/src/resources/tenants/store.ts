import {
  type Actor,
  deleteTenant,
  type FoundTenant,
  findTenantWithQuotas,
  insertAuditEntry,
  inTransaction,
  type ListedTenant,
  listTenants,
  type PlaceInList,
  type PoolSql,
  type TenantChanges,
  type TenantFilter,
  type TenantUpdate,
  updateTenant,
} from '@posthorn/db';
import { changeOf } from '../../access/redact.ts';

/** A change commits together with its audit row: `actor` is who asked. */
export interface TenantStore {
  find(tenantId: string): Promise<FoundTenant | null>;
  list(filter: TenantFilter, place: PlaceInList): Promise<ListedTenant[]>;
  /** Null when there is no such tenant. */
  update(tenantId: string, changes: TenantChanges, actor: Actor): Promise<TenantUpdate | null>;
  /** The number of the change; null when there is no such tenant. */
  remove(tenantId: string, actor: Actor): Promise<number | null>;
}

export function openTenantStore(pool: PoolSql): TenantStore {
  return {
    find: (tenantId) => findTenantWithQuotas(pool, tenantId),
    list: (filter, place) => listTenants(pool, filter, place),
    update: (tenantId, changes, actor) =>
      inTransaction(pool, async (sql) => {
        const updated = await updateTenant(sql, tenantId, changes);
        if (updated?.kind !== 'changed') return updated;
        await insertAuditEntry(sql, {
          actor,
          action: 'tenant.updated',
          tenantId,
          subject: tenantId,
          ...changeOf({ ...updated.before }, { ...changes }),
        });
        return updated;
      }),
    remove: (tenantId, actor) =>
      inTransaction(pool, async (sql) => {
        const deleted = await deleteTenant(sql, tenantId);
        if (deleted === null) return null;
        const { name, plan, state, metadata } = deleted.before;
        await insertAuditEntry(sql, {
          actor,
          action: 'tenant.deleted',
          tenantId,
          subject: tenantId,
          before: { name, plan, state, metadata },
        });
        return deleted.change;
      }),
  };
}
