import type { MintedKey } from '@posthorn/contracts';
import {
  type Actor,
  createTenant,
  deleteTenant,
  type FoundTenant,
  findTenantWithQuotas,
  insertApiKey,
  insertAuditEntry,
  inTransaction,
  type ListedTenant,
  listTenants,
  type NewTenant,
  type PlaceInList,
  type Sql,
  type TenantChanges,
  type TenantCreation,
  type TenantFilter,
  type TenantUpdate,
  updateTenant,
} from '@posthorn/db';
import { changeOf } from '../../access/redact.ts';

/** A change commits together with its audit row: `actor` is who asked. */
export interface TenantStore {
  /** With its first key. */
  create(tenant: NewTenant, key: MintedKey, actor: Actor): Promise<TenantCreation>;
  find(tenantId: string): Promise<FoundTenant | null>;
  list(filter: TenantFilter, place: PlaceInList): Promise<ListedTenant[]>;
  /** Null when there is no such tenant. */
  update(tenantId: string, changes: TenantChanges, actor: Actor): Promise<TenantUpdate | null>;
  /** The number of the change; null when there is no such tenant. */
  remove(tenantId: string, actor: Actor): Promise<number | null>;
}

export function openTenantStore(pool: Sql): TenantStore {
  return {
    create: (tenant, key, actor) =>
      inTransaction(pool, async (sql) => {
        const { tenantId, quotas, ...own } = tenant;
        const created = await createTenant(sql, tenant);
        if (created.kind !== 'created') return created;
        await insertApiKey(sql, { ...key, kind: 'tenant', tenantId, createdBy: actor.keyId });
        await insertAuditEntry(sql, {
          actor,
          action: 'tenant.created',
          tenantId,
          subject: tenantId,
          after: { tenantId, ...own, ...quotas },
          detail: { keyId: key.keyId },
        });
        return created;
      }),
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
