import {
  type ApiKeyRow,
  type AttemptRow,
  type CreateEndpointResult,
  countDeadLetters,
  countOperatorKeys,
  createEndpoint,
  createTenant,
  type Database,
  DatabaseTimeoutError,
  type DeadLetterFilter,
  type DeadLetterRow,
  type DeliveryRow,
  deadLetterCounts,
  type EndpointRow,
  type EventPayload,
  findApiKey,
  findDelivery,
  findDeliveryTenant,
  findEndpoint,
  findEndpointOfAnyTenant,
  findEventPayload,
  findEventTenant,
  findQuotas,
  findTenant,
  insertApiKey,
  insertAuditEntry,
  inTransaction,
  listAttempts,
  listDeadLetters,
  listDeliveriesOfEvent,
  listEndpoints,
  type NewEndpoint,
  type NewTenant,
  type Quotas,
  type TenantSummary,
  updateQuotas,
  within,
} from '@posthorn/db';
import type { MintedKey } from './auth.ts';

/**
 * What this service asks Postgres, each question bounded in time. A change and its audit row commit together:
 * `actor` is the id of the key that asked.
 */
export interface Store {
  findApiKey(keyHash: Buffer): Promise<ApiKeyRow | null>;
  /** An operator key that is there already stays as it is. */
  addOperatorKey(key: Omit<MintedKey, 'key'>): Promise<void>;
  countOperatorKeys(): Promise<number>;
  createTenant(
    tenant: NewTenant,
    key: MintedKey,
    actor: string,
  ): Promise<{ kind: 'created'; change: number } | { kind: 'exists' }>;
  findTenant(tenantId: string): Promise<(TenantSummary & { quotas: Quotas }) | null>;
  updateQuotas(
    tenantId: string,
    quotas: Partial<Quotas>,
    actor: string,
  ): Promise<{ change: number; quotas: Quotas } | null>;
  createEndpoint(tenantId: string, endpoint: NewEndpoint, actor: string): Promise<CreateEndpointResult>;
  /** Of any tenant when `tenantId` is null. */
  findEndpoint(tenantId: string | null, endpointId: string): Promise<EndpointRow | null>;
  listEndpoints(tenantId: string, limit: number): Promise<EndpointRow[]>;
  findEventTenant(eventId: string): Promise<string | null>;
  findDeliveryTenant(deliveryId: string): Promise<string | null>;
  findEvent(tenantId: string, eventId: string): Promise<EventPayload | null>;
  listDeliveriesOfEvent(tenantId: string, eventId: string): Promise<DeliveryRow[]>;
  findDelivery(tenantId: string, deliveryId: string): Promise<DeliveryRow | null>;
  listAttempts(tenantId: string, deliveryId: string): Promise<AttemptRow[]>;
  /** Of all tenants when `tenantId` is null. */
  listDeadLetters(
    tenantId: string | null,
    page: DeadLetterFilter & { readonly limit: number; readonly offset: number },
  ): Promise<{ rows: DeadLetterRow[]; total: number }>;
  deadLetterCounts(): Promise<ReadonlyMap<string, number>>;
  auditReplay(tenantId: string, action: string, subject: string, actor: string): Promise<void>;
}

/** Longer than a statement may take in the server, so that its own answer comes first. */
export const STORE_TIMEOUT_MS = 12_000;
/** A key lookup stands before every request: it gives up sooner. */
export const KEY_LOOKUP_TIMEOUT_MS = 1_000;

/** `lookups` has connections of its own: a key is found, and dead letters are counted, while all others are taken. */
export function openStore({ sql }: Pick<Database, 'sql'>, lookups: Pick<Database, 'sql'>): Store {
  const ask = <T>(query: Promise<T>): Promise<T> => within(STORE_TIMEOUT_MS, query);
  return {
    findApiKey: (keyHash) => within(KEY_LOOKUP_TIMEOUT_MS, findApiKey(lookups.sql, keyHash)),
    addOperatorKey: ({ keyId, keyHash }) =>
      ask(insertApiKey(sql, { keyId, keyHash, kind: 'operator', tenantId: null })).then(() => undefined),
    countOperatorKeys: () => ask(countOperatorKeys(sql)),
    createTenant: (tenant, key, actor) =>
      ask(
        inTransaction(sql, async (transaction) => {
          const { tenantId } = tenant;
          const created = await createTenant(transaction, tenant);
          if (created.kind === 'exists') return created;
          await insertApiKey(transaction, { ...key, kind: 'tenant', tenantId });
          await insertAuditEntry(transaction, {
            actor,
            action: 'tenant.created',
            tenantId,
            subject: tenantId,
          });
          return created;
        }),
      ),
    findTenant: async (tenantId) => {
      const [tenant, quotas] = await ask(Promise.all([findTenant(sql, tenantId), findQuotas(sql, tenantId)]));
      return tenant && quotas ? { ...tenant, quotas } : null;
    },
    updateQuotas: (tenantId, quotas, actor) =>
      ask(
        inTransaction(sql, async (transaction) => {
          const updated = await updateQuotas(transaction, tenantId, quotas);
          if (!updated) return null;
          const detail = { ...quotas } as Record<string, number | string>;
          const entry = { actor, action: 'quotas.updated', tenantId, subject: tenantId, detail };
          await insertAuditEntry(transaction, entry);
          return updated;
        }),
      ),
    createEndpoint: (tenantId, endpoint, actor) =>
      ask(
        inTransaction(sql, async (transaction) => {
          const result = await createEndpoint(transaction, tenantId, endpoint);
          if (result.kind !== 'created') return result;
          const subject = endpoint.endpointId;
          await insertAuditEntry(transaction, { actor, action: 'endpoint.created', tenantId, subject });
          return result;
        }),
      ),
    findEndpoint: (tenantId, endpointId) =>
      ask(
        tenantId === null
          ? findEndpointOfAnyTenant(sql, endpointId)
          : findEndpoint(sql, tenantId, endpointId),
      ),
    listEndpoints: (tenantId, limit) => ask(listEndpoints(sql, tenantId, { limit })),
    findEventTenant: (eventId) => ask(findEventTenant(sql, eventId)),
    findDeliveryTenant: (deliveryId) => ask(findDeliveryTenant(sql, deliveryId)),
    findEvent: (tenantId, eventId) => ask(findEventPayload(sql, tenantId, eventId)),
    listDeliveriesOfEvent: (tenantId, eventId) => ask(listDeliveriesOfEvent(sql, tenantId, eventId)),
    findDelivery: (tenantId, deliveryId) => ask(findDelivery(sql, tenantId, deliveryId)),
    listAttempts: (tenantId, deliveryId) => ask(listAttempts(sql, tenantId, deliveryId)),
    listDeadLetters: async (tenantId, page) => {
      const [rows, total] = await ask(
        Promise.all([listDeadLetters(sql, tenantId, page), countDeadLetters(sql, tenantId, page)]),
      );
      return { rows, total };
    },
    deadLetterCounts: () => ask(deadLetterCounts(lookups.sql)),
    auditReplay: (tenantId, action, subject, actor) =>
      ask(insertAuditEntry(sql, { actor, action, tenantId, subject })),
  };
}

/** SQLSTATE classes of a server that is away, full, stopping or out of time. */
const AWAY_STATE = /^(08|40|53|57|58)[0-9A-Z]{3}$/;
const AWAY_CODE =
  /^(CONNECT(ION)?_[A-Z_]+|E(CONN[A-Z]+|PIPE|TIMEDOUT|NOTFOUND|HOSTUNREACH|NETUNREACH|AI_AGAIN))$/;

/** Whether an error says that Postgres cannot be reached or cannot answer now, which no change of ours would mend. */
export function isDatabaseAway(error: unknown): boolean {
  if (error instanceof DatabaseTimeoutError) return true;
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && (AWAY_STATE.test(code) || AWAY_CODE.test(code));
}
