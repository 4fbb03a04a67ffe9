import {
  type Actor,
  type AuditEntry,
  type CancellationResult,
  type CancellationScope,
  type CreateEndpointResult,
  changeEndpointState,
  createEndpoint,
  createTenant,
  type EndpointChanges,
  type EndpointRow,
  type EndpointStateChange,
  findEndpoint,
  findQuotas,
  findTenant,
  insertApiKey,
  insertAuditEntry,
  insertCancellation,
  inTransaction,
  type LanesChange,
  type NewEndpoint,
  type NewTenant,
  type PoolSql,
  type Quotas,
  type QuotasChange,
  type Sql,
  setLanes,
  updateEndpoint,
  updateQuotas,
} from '@posthorn/db';
import type { MintedKey } from './access/auth.ts';
import { changeOf, redact } from './access/redact.ts';

export interface EndpointChange {
  /** Null when it was so already. */
  readonly change: number | null;
  /** As it is now; null once it is deleted. */
  readonly row: EndpointRow | null;
}

/** Every change of configuration, in one transaction with its audit row: `actor` is who asked. */
export interface ConfigurationChanges {
  createTenant(
    tenant: NewTenant,
    key: MintedKey,
    actor: Actor,
  ): Promise<{ kind: 'created'; change: number } | { kind: 'exists' }>;
  updateQuotas(tenantId: string, quotas: Partial<Quotas>, actor: Actor): Promise<QuotasChange | null>;
  setLanes(tenantId: string, lanes: readonly number[], actor: Actor): Promise<LanesChange | null>;
  createEndpoint(tenantId: string, endpoint: NewEndpoint, actor: Actor): Promise<CreateEndpointResult>;
  /** Null when it was deleted meanwhile; so for all that follow. */
  changeEndpoint(
    found: EndpointRow,
    to: { readonly fields: EndpointChanges; readonly enabled: boolean | undefined },
    actor: Actor,
  ): Promise<EndpointChange | null>;
  deleteEndpoint(found: EndpointRow, actor: Actor): Promise<EndpointChange | null>;
  pauseEndpoint(found: EndpointRow, mode: 'hold' | 'drop', actor: Actor): Promise<EndpointChange | null>;
  resumeEndpoint(found: EndpointRow, actor: Actor): Promise<EndpointChange | null>;
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
        if (created.kind === 'exists') return created;
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
    createEndpoint: (tenantId, endpoint, actor) =>
      inTransaction(pool, async (sql) => {
        const result = await createEndpoint(sql, tenantId, endpoint);
        if (result.kind !== 'created') return result;
        await auditEndpoint(sql, { ...endpoint, tenantId }, actor, 'created', {
          after: redact({ ...endpoint }),
        });
        return result;
      }),
    changeEndpoint: (found, { fields, enabled }, actor) =>
      inTransaction(pool, async (sql) => {
        const updated = await setFields(sql, found, fields, actor);
        if (updated === null) return null;
        if (enabled === undefined || enabled === (found.state !== 'disabled')) return updated;
        return enabled ? enable(sql, found, actor) : disable(sql, found, actor);
      }),
    deleteEndpoint: (found, actor) =>
      inTransaction(pool, async (sql) => {
        const deleted = await setState(sql, found, { state: 'deleted', reason: 'person' }, actor, 'deleted');
        return deleted && { change: deleted.change, row: null };
      }),
    pauseEndpoint: (found, mode, actor) =>
      inTransaction(pool, (sql) =>
        setState(sql, found, { state: 'paused', reason: 'person', pauseMode: mode }, actor, 'paused'),
      ),
    resumeEndpoint: (found, actor) =>
      inTransaction(pool, (sql) => setState(sql, found, ACTIVE, actor, 'resumed')),
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

const ACTIVE = { state: 'active', reason: null } as const;

const enable = (sql: Sql, found: EndpointRow, actor: Actor) => setState(sql, found, ACTIVE, actor, 'enabled');
const disable = (sql: Sql, found: EndpointRow, actor: Actor) =>
  setState(sql, found, { state: 'disabled', reason: 'person' }, actor, 'disabled');

async function setFields(
  sql: Sql,
  found: EndpointRow,
  fields: EndpointChanges,
  actor: Actor,
): Promise<EndpointChange | null> {
  const names = Object.keys(fields);
  if (names.length === 0) return { change: null, row: found };
  const updated = await updateEndpoint(sql, found.tenantId, found.endpointId, fields);
  if (updated !== null)
    await auditEndpoint(sql, found, actor, 'updated', changeOf({ ...found }, { ...fields }));
  return updated;
}

async function setState(
  sql: Sql,
  found: EndpointRow,
  to: EndpointStateChange,
  actor: Actor,
  verb: string,
): Promise<EndpointChange | null> {
  const { tenantId, endpointId } = found;
  const changed = await changeEndpointState(sql, tenantId, endpointId, to);
  if (changed !== null)
    await auditEndpoint(
      sql,
      found,
      actor,
      verb,
      changeOf({ ...found }, { state: to.state, stateReason: to.reason, pauseMode: to.pauseMode ?? null }),
    );
  const row = await findEndpoint(sql, tenantId, endpointId);
  if (row === null || (row.state === 'deleted' && to.state !== 'deleted')) return null;
  return { change: changed?.change ?? null, row };
}

const auditEndpoint = (
  sql: Sql,
  { tenantId, endpointId }: Pick<EndpointRow, 'tenantId' | 'endpointId'>,
  actor: Actor,
  verb: string,
  change: Pick<AuditEntry, 'before' | 'after'>,
): Promise<void> =>
  insertAuditEntry(sql, { actor, action: `endpoint.${verb}`, tenantId, subject: endpointId, ...change });
