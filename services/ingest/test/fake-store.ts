import { hashKey } from '@posthorn/contracts';
import type { ApiKeyRow, EndpointRow } from '@posthorn/db';
import type { Store } from '../src/store.ts';
import { createFakeEngine, type FakeEngine } from './fake-engine.ts';
import type { FakeTables } from './fake-tables.ts';

export const OPERATOR_KEY = 'phk_op_test_key_0123456789';
export const ACME_KEY = 'phk_tn_acme_key_0123456789';
export const OTHER_KEY = 'phk_tn_other_key_0123456789';

const OF_TENANT = { kind: 'tenant', scopes: ['ingest', 'manage'], expiresAt: null } as const;
const KEYS = new Map<string, ApiKeyRow>([
  [
    OPERATOR_KEY,
    { keyId: 'key_operator', kind: 'operator', tenantId: null, scopes: ['admin'], expiresAt: null },
  ],
  [ACME_KEY, { ...OF_TENANT, keyId: 'key_acme', tenantId: 'acme' }],
  [OTHER_KEY, { ...OF_TENANT, keyId: 'key_other', tenantId: 'other' }],
]);

/** The store over tables in memory. */
export function createFakeStore(tables: FakeTables): { readonly store: Store; readonly engine: FakeEngine } {
  const engine = createFakeEngine(tables);
  const { answer } = tables;
  const store = {
    findApiKey: (keyHash: Buffer) =>
      answer(() => [...KEYS].find(([key]) => hashKey(key).equals(keyHash))?.[1] ?? null),
    findPortalGuard: (tenantId: string) =>
      answer(() => (tables.tenants.has(tenantId) ? { notBefore: null } : null)),
    addOperatorKey: () => answer(() => undefined),
    countOperatorKeys: () => answer(() => 1),
    ...tenantsOf(tables),
    ...endpointsOf(tables),
    ...recordOf(tables),
    ...engine.store,
  };
  // What has tables of its own is tested over a database (`startApi`), not here.
  return { store: store as unknown as Store, engine };
}

type Tenants = Pick<Store, 'findTenant'> & {
  tenants: Pick<Store['tenants'], 'create'>;
  quotas: Pick<Store['quotas'], 'findUse' | 'update'>;
};

function tenantsOf({ tenants, counts, createdAt, nextChange, answer, addTenant }: FakeTables): Tenants {
  return {
    tenants: {
      create: (tenant) =>
        answer(() => {
          if (tenants.has(tenant.tenantId)) return { kind: 'exists' as const, by: tenant.tenantId };
          return { kind: 'created' as const, change: addTenant(tenant.tenantId, tenant.quotas).revision };
        }),
    },
    findTenant: (tenantId) =>
      answer(() => {
        const config = tenants.get(tenantId);
        if (!config) return null;
        return {
          ...config,
          ...PLAIN_TENANT,
          quotas: { ...config.quotas, overrides: [] },
          retentionDays: 30 as const,
          lanes: [...config.lanes],
          drainingLanes: [...config.drainingLanes],
          createdAt,
          updatedAt: createdAt,
        };
      }),
    quotas: {
      update: (tenantId, quotas) =>
        answer(() => {
          const config = tenants.get(tenantId);
          if (!config) return null;
          const given = Object.fromEntries(Object.entries(quotas).filter(([, value]) => value !== null));
          const next = { ...config, quotas: { ...config.quotas, ...given }, revision: nextChange() };
          tenants.set(tenantId, next);
          const changed = { ...next.quotas, overrides: [] };
          return { kind: 'changed' as const, change: next.revision, quotas: changed };
        }),
      findUse: (tenantId) =>
        answer(() => ({
          plan: 'default',
          overrides: [],
          deadLetters: counts.get(tenantId) ?? 0,
          inFlight: 4,
          queued: 7,
          events: { lastSecond: 0, lastMinute: 0 },
        })),
    },
  };
}

const PLAIN_TENANT = {
  name: '',
  plan: 'default',
  ownRetention: false,
  metadata: {},
  state: 'active' as const,
  unknownEventTypes: 'allow' as const,
};

type Endpoints = Pick<Store, 'createEndpoint' | 'findEndpoint' | 'listEndpoints'>;

function endpointsOf({ tenants, webhooks, createdAt, nextChange, answer }: FakeTables): Endpoints {
  return {
    createEndpoint: (tenantId, endpoint, wanted) =>
      answer(() => {
        const config = tenants.get(tenantId);
        if (!config) return { kind: 'unknown_tenant' as const };
        const limit = config.quotas.maxWebhooks;
        if ([...webhooks.values()].filter((row) => row.tenantId === tenantId).length >= limit)
          return { kind: 'too_many' as const, limit };
        const change = nextChange();
        const row: EndpointRow = {
          method: 'POST',
          sealedHeaders: {},
          auth: null,
          sealedAuth: null,
          tls: null,
          sealedTls: null,
          metadata: {},
          scope: 'tenant',
          ...endpoint,
          tenantId,
          signatures: [...(endpoint.signatures ?? ['v1' as const])],
          publicKeys: [],
          maxConcurrency: endpoint.maxConcurrency ?? null,
          maxPerSec: endpoint.maxPerSec ?? null,
          maxRetryMs: endpoint.maxRetryMs ?? null,
          eventTypes: [...endpoint.eventTypes],
          labels: { ...endpoint.labels },
          filter: endpoint.filter ?? null,
          secretsExpireAt: [null],
          verifiedUrl: null,
          verifiedAt: null,
          revision: change,
          retryScheduleMs: endpoint.retryScheduleMs && [...endpoint.retryScheduleMs],
          state: wanted.enabled === false ? 'disabled' : 'active',
          stateReason: null,
          pauseMode: null,
          createdAt,
          updatedAt: createdAt,
        };
        webhooks.set(endpoint.endpointId, row);
        return { kind: 'created' as const, change, row };
      }),
    findEndpoint: (tenantId, endpointId) =>
      answer(() => {
        const row = webhooks.get(endpointId);
        return row && (tenantId === null || row.tenantId === tenantId) ? row : null;
      }),
    listEndpoints: ({ tenantId }) =>
      answer(() => [...webhooks.values()].filter((row) => row.tenantId === tenantId)),
  };
}

type RecordReads = Pick<
  Store,
  | 'findEventTenant'
  | 'findDeliveryTenant'
  | 'findEvent'
  | 'listDeliveriesOfEvent'
  | 'findDelivery'
  | 'listAttempts'
  | 'listDeadLetters'
  | 'deadLetterCounts'
  | 'record'
>;

function recordOf({ events, deadLetters, answer }: FakeTables): RecordReads {
  const eventOf = (tenantId: string, eventId: string) => {
    const found = events.get(eventId);
    return found?.tenantId === tenantId ? found : undefined;
  };
  const deliveryOf = (deliveryId: string) =>
    [...events.values()].flatMap(({ deliveries }) => deliveries).find((row) => row.deliveryId === deliveryId);
  return {
    findEventTenant: (eventId) => answer(() => events.get(eventId)?.tenantId ?? null),
    findDeliveryTenant: (deliveryId) => answer(() => deliveryOf(deliveryId)?.tenantId ?? null),
    findEvent: (tenantId, eventId) => answer(() => eventOf(tenantId, eventId)?.event ?? null),
    listDeliveriesOfEvent: (tenantId, eventId) => answer(() => eventOf(tenantId, eventId)?.deliveries ?? []),
    findDelivery: (tenantId, deliveryId) =>
      answer(() => {
        const row = deliveryOf(deliveryId);
        return row?.tenantId === tenantId ? row : null;
      }),
    listAttempts: () => answer(() => []),
    listDeadLetters: (tenantId, { limit, offset }) =>
      answer(() => {
        const rows = deadLetters.filter((row) => tenantId === null || row.tenantId === tenantId);
        return { rows: rows.slice(offset, offset + limit), total: rows.length };
      }),
    deadLetterCounts: () => answer(() => new Map()),
    // Lists are held over a real database: test/record.integration.test.ts.
    record: {
      findEvent: (tenantId: string, eventId: string) =>
        answer(() => eventOf(tenantId, eventId)?.event ?? null),
    } as unknown as Store['record'],
  };
}
