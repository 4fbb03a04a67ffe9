import type { MintedKey } from '@posthorn/contracts';
import {
  type ApiKeyRow,
  type AttemptRow,
  type AuditEntry,
  countDeadLetters,
  countDeadLettersByTenant,
  countOperatorKeys,
  type Database,
  DatabaseTimeoutError,
  type DeadLetterFilter,
  type DeadLetterRow,
  type DeliveryRow,
  deadLetterCounts,
  type EndpointFilter,
  type EndpointRow,
  type EventPayload,
  type FoundTenant,
  findApiKey,
  findDeadLetter,
  findDelivery,
  findDeliveryTenant,
  findEndpoint,
  findEndpointOfAnyTenant,
  findEventPayload,
  findEventTenant,
  findPortalGuard,
  findTenantWithQuotas,
  insertApiKey,
  insertAuditEntry,
  inTransaction,
  listAttempts,
  listDeadLetters,
  listDeliveriesOfEvent,
  listEndpoints,
  listSetAside,
  type PlaceInList,
  type PoolSql,
  type PortalGuard,
  processActor,
  type SetAsideRow,
  type Sql,
  type TenantDeadLetters,
  within,
  withinTenant,
} from '@posthorn/db';
import { actingTenant } from './access/act-within.ts';
import { createQuestionGate, MAX_QUESTIONS, type QuestionGate } from './question-gate.ts';
import { type AnalyticsStore, openAnalyticsStore } from './resources/analytics/store.ts';
import { type AuditStore, openAuditStore } from './resources/audit-log/store.ts';
import { type CancellationStore, openCancellationStore } from './resources/cancellations/store.ts';
import { type EventTypeStore, openEventTypeStore } from './resources/event-types/store.ts';
import { type ExpungeStore, openExpungeStore } from './resources/events/expunge-store.ts';
import { createCountGate, type Jobs, openJobs } from './resources/jobs/start-job.ts';
import { type KeyStore, openKeyStore } from './resources/keys/store.ts';
import { type LaneStore, openLaneStore } from './resources/lanes/store.ts';
import { openPlanStore, type PlanStore } from './resources/plans/store.ts';
import { openPortalTokenStore, type PortalTokenStore } from './resources/portal-tokens/store.ts';
import { openQuotaStore, type QuotaStore } from './resources/quotas/store.ts';
import { openRecordStore, type RecordStore } from './resources/record/store.ts';
import { openTenantStore, type TenantStore } from './resources/tenants/store.ts';
import { openWebhookStore, type WebhookStore } from './resources/webhooks/store.ts';

/**
 * What this service asks Postgres, each question bounded in time. A change and its audit row commit together: `actor`
 * is who asked.
 */
export interface Store extends WebhookStore, Jobs {
  readonly tenants: TenantStore;
  readonly lanes: LaneStore;
  readonly cancellations: CancellationStore;
  readonly plans: PlanStore;
  readonly quotas: QuotaStore;
  readonly record: RecordStore;
  readonly expunges: ExpungeStore;
  readonly analytics: AnalyticsStore;
  readonly eventTypes: EventTypeStore;
  readonly keys: KeyStore;
  readonly portalTokens: PortalTokenStore;
  readonly auditLog: AuditStore;
  findApiKey(keyHash: Buffer): Promise<ApiKeyRow | null>;
  /** Null for a tenant that there is not. */
  findPortalGuard(tenantId: string): Promise<PortalGuard | null>;
  /** An operator key that is there already stays as it is. */
  addOperatorKey(key: Omit<MintedKey, 'key'>): Promise<void>;
  countOperatorKeys(): Promise<number>;
  findTenant(tenantId: string): Promise<FoundTenant | null>;
  /** Of any tenant when `tenantId` is null. */
  findEndpoint(tenantId: string | null, endpointId: string): Promise<EndpointRow | null>;
  listEndpoints(page: EndpointFilter & PlaceInList): Promise<EndpointRow[]>;
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
  findDeadLetter(tenantId: string, deliveryId: string): Promise<DeadLetterRow | null>;
  countDeadLettersByTenant(
    tenantId: string | null,
    limit: number,
  ): Promise<{ rows: TenantDeadLetters[]; total: number }>;
  deadLetterCounts(): Promise<ReadonlyMap<string, number>>;
  listSetAside(page: { readonly limit: number; readonly offset: number }): Promise<SetAsideRow[]>;
  /** Of what changes no configuration. */
  audit(entry: AuditEntry): Promise<void>;
}

/** Longer than a statement may take in the server, so that its own answer comes first. */
export const STORE_TIMEOUT_MS = 12_000;
/** A key lookup stands before every request: it gives up sooner. */
export const KEY_LOOKUP_TIMEOUT_MS = 1_000;

/** What is asked by the way of several routes. */
type Common = Omit<
  Store,
  | keyof (WebhookStore & Jobs)
  | 'tenants'
  | 'lanes'
  | 'cancellations'
  | 'plans'
  | 'quotas'
  | 'record'
  | 'expunges'
  | 'analytics'
  | 'eventTypes'
  | 'keys'
  | 'portalTokens'
  | 'auditLog'
  | 'findApiKey'
  | 'findPortalGuard'
  | 'deadLetterCounts'
>;

/**
 * Every question is asked in the name of whoever acts (access/act-within.ts): a tenant's sees that tenant's rows alone.
 * `lookups` has connections of its own, for what is asked of all tenants and stands before every request: a key is
 * found, and dead letters are counted, while all others are taken.
 */
export function openStore(
  { sql: pool }: Pick<Database, 'sql'>,
  lookups: Pick<Database, 'sql'>,
  gate: QuestionGate = createQuestionGate(MAX_QUESTIONS),
): Store {
  const bounded = <T extends object>(open: (sql: Sql) => T): T => askThrough(gate, pool, open);
  const counts = createCountGate();
  return {
    ...bounded(openWebhookStore),
    ...bounded((sql) => openJobs(sql, counts)),
    ...bounded(openCommon),
    tenants: bounded(openTenantStore),
    lanes: bounded(openLaneStore),
    cancellations: bounded(openCancellationStore),
    plans: bounded(openPlanStore),
    quotas: bounded(openQuotaStore),
    keys: bounded(openKeyStore),
    portalTokens: bounded(openPortalTokenStore),
    auditLog: bounded(openAuditStore),
    record: bounded(openRecordStore),
    expunges: bounded(openExpungeStore),
    analytics: bounded(openAnalyticsStore),
    eventTypes: bounded(openEventTypeStore),
    findApiKey: (keyHash) => within(KEY_LOOKUP_TIMEOUT_MS, findApiKey(lookups.sql, keyHash)),
    findPortalGuard: (tenantId) => within(KEY_LOOKUP_TIMEOUT_MS, findPortalGuard(lookups.sql, tenantId)),
    deadLetterCounts: () => within(STORE_TIMEOUT_MS, deadLetterCounts(lookups.sql)),
  };
}

const openCommon = (sql: Sql): Common => ({
  addOperatorKey: (key) => addOperatorKey(sql, key),
  countOperatorKeys: () => countOperatorKeys(sql),
  findTenant: (tenantId) => findTenantWithQuotas(sql, tenantId),
  findEndpoint: (tenantId, endpointId) =>
    tenantId === null ? findEndpointOfAnyTenant(sql, endpointId) : findEndpoint(sql, tenantId, endpointId),
  listEndpoints: (page) => listEndpoints(sql, page, page),
  findEventTenant: (eventId) => findEventTenant(sql, eventId),
  findDeliveryTenant: (deliveryId) => findDeliveryTenant(sql, deliveryId),
  findEvent: (tenantId, eventId) => findEventPayload(sql, tenantId, eventId),
  listDeliveriesOfEvent: (tenantId, eventId) => listDeliveriesOfEvent(sql, tenantId, eventId),
  findDelivery: (tenantId, deliveryId) => findDelivery(sql, tenantId, deliveryId),
  listAttempts: (tenantId, deliveryId) => listAttempts(sql, tenantId, deliveryId),
  async listDeadLetters(tenantId, page) {
    const counted = countDeadLetters(sql, tenantId, page);
    const [rows, total] = await Promise.all([listDeadLetters(sql, tenantId, page), counted]);
    return { rows, total };
  },
  findDeadLetter: (tenantId, deliveryId) => findDeadLetter(sql, tenantId, deliveryId),
  countDeadLettersByTenant: (tenantId, limit) => countDeadLettersByTenant(sql, tenantId, limit),
  listSetAside: (page) => listSetAside(sql, page),
  audit: (entry) => insertAuditEntry(sql, entry),
});

/** The key that the configuration names. */
const addOperatorKey = (pool: Sql, { keyId, keyHash }: Omit<MintedKey, 'key'>): Promise<void> =>
  inTransaction(pool, async (sql) => {
    const actor = processActor('ingest');
    if (!(await insertApiKey(sql, { keyId, keyHash, kind: 'operator', tenantId: null }))) return;
    await insertAuditEntry(sql, { actor, action: 'key.created', tenantId: null, subject: keyId });
  });

/** Each question gets the time of one. */
function askThrough<T extends object>(gate: QuestionGate, pool: PoolSql, open: (sql: Sql) => T): T {
  const ofAll = open(pool) as Questions;
  const ask = (name: string, given: unknown[]): Promise<unknown> => {
    const tenantId = actingTenant();
    if (tenantId === null) return ofAll[name]!(...given);
    return withinTenant(pool, tenantId, (sql) => (open(sql) as Questions)[name]!(...given));
  };
  const entries = Object.keys(ofAll).map((name) => [
    name,
    (...given: unknown[]) => gate.ask(STORE_TIMEOUT_MS, async () => ask(name, given)),
  ]);
  return Object.fromEntries(entries) as T;
}

type Questions = Readonly<Record<string, (...given: unknown[]) => Promise<unknown>>>;

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

const LOST_STATE = /^(08|57P)[0-9A-Z]{2,3}$/;

/**
 * Whether it tells of the server, not of one question: one that ran out of time, or lost against another, says nothing
 * of those that others ask.
 */
export function isConnectionLost(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && (LOST_STATE.test(code) || AWAY_CODE.test(code));
}
