import {
  deriveDeliveryId,
  deriveMacKey,
  type EndpointId,
  type JournalEntry,
  mintEndpointId,
  mintEventId,
} from '@posthorn/contracts';
import type { DeadLetterRow, DeliveryRow, EndpointRow, EventPayload, Quotas } from '@posthorn/db';
import { JournalError } from '@posthorn/journal';
import type { OutboundRecord, ProduceAck } from '@posthorn/kafka';
import { createLogger, createMetrics, createTracing } from '@posthorn/runtime';
import type { EndpointVersion, Lookup, TenantConfig } from '@posthorn/tenant-config';
import { parseSecretsKey } from '@posthorn/tenant-config';
import { createFakeClock, type FakeClock } from '@posthorn/testkit';
import { type App, type AppParts, createApp } from '../src/app.ts';
import { createKeys, hashKey } from '../src/auth.ts';
import { createIngestMetrics } from '../src/metrics.ts';
import { createRateWindow } from '../src/rate-window.ts';
import { createLoadShedder } from '../src/shed-load.ts';
import type { Store } from '../src/store.ts';
import { createFakeEngine, type FakeEngine } from './fake-engine.ts';

export const OPERATOR_KEY = 'phk_op_test_key_0123456789';
export const ACME_KEY = 'phk_tn_acme_key_0123456789';
export const OTHER_KEY = 'phk_tn_other_key_0123456789';
export const QUOTAS: Quotas = {
  maxEventsPerSec: 100,
  maxConcurrentDeliveries: 50,
  maxDlqSize: 100,
  maxWebhooks: 3,
  dlqPolicy: 'refuse',
};

export const MAC_KEY = deriveMacKey(Buffer.alloc(32));

// One for all: each registry starts observers of the process.
const ingestMetrics = createIngestMetrics(createMetrics('ingest'));

/** The app over fakes of everything it talks to; tests act on the fakes and look at what was sent. */
export interface Bundle {
  readonly app: App;
  readonly clock: FakeClock;
  readonly sent: OutboundRecord[];
  readonly logged: Record<string, unknown>[];
  readonly tenants: Map<string, TenantConfig>;
  readonly events: Map<string, { tenantId: string; event: EventPayload; deliveries: DeliveryRow[] }>;
  readonly deadLetters: DeadLetterRow[];
  readonly counts: Map<string, number>;
  readonly journaled: JournalEntry[];
  readonly webhooks: Map<string, EndpointRow>;
  readonly engine: FakeEngine;
  /** Set to act as a database that is away, or with a bug. */
  failStore: Error | null;
  failSend: Error | null;
  failJournal: boolean;
  /** A change that no other replica applies. */
  neverApplied: boolean;
  post(path: string, body: unknown, key?: string): Promise<Answer>;
  get(path: string, key?: string): Promise<Answer>;
  /** Of any other method. */
  call(method: 'PATCH' | 'PUT' | 'DELETE', path: string, body?: unknown, key?: string): Promise<Answer>;
  addTenant(tenantId: string, quotas?: Partial<Quotas>): TenantConfig;
  addEndpoint(tenantId: string, version?: Partial<EndpointVersion>): EndpointId;
  /** An event in the record, with one delivery for each endpoint. */
  addEvent(tenantId: string, states: readonly DeliveryRow['state'][]): string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely
  readonly body: any;
}

export async function setup(limits?: { maxRequests?: number; maxBytes?: number }): Promise<Bundle> {
  const clock = createFakeClock();
  const fakes = createFakes(clock);
  const logged: Record<string, unknown>[] = [];
  const log = createLogger('ingest', 'info', { write: (line) => void logged.push(JSON.parse(line)) });
  const { maxRequests = 100, maxBytes = 10_000_000 } = limits ?? {};
  const parts: AppParts = {
    keys: createKeys({
      findKey: (keyHash) => fakes.store.findApiKey(keyHash),
      isDatabaseUp: () => fakes.state.failStore === null,
      reportDatabaseDown: () => undefined,
      clock,
      maxKeys: 100,
      maxAgeMs: 60_000,
    }),
    store: fakes.store,
    tenants: fakes.tenantLookups,
    rate: createRateWindow(),
    shedder: createLoadShedder({ maxRequests, maxBytes }),
    secretsKey: parseSecretsKey(Buffer.alloc(32).toString('base64')),
    urlFault: (url) => (/^https?:\/\/[a-z0-9.-]+\.example(:\d+)?(\/|$)/.test(url) ? null : 'may not be used'),
    countDeadLetters: (tenantId) => fakes.counts.get(tenantId) ?? 0,
    reportDatabaseDown: () => undefined,
    send: fakes.send,
    checks: [{ name: 'postgres', required: false, isUp: () => fakes.state.failStore === null }],
    isReady: () => true,
    ingestMetrics,
    tracing: createTracing(null, { samplePercent: 0 }),
    eventsTopic: 'events',
    eventPartitions: 8,
    replayTopic: 'replay',
    macKey: MAC_KEY,
    journal: fakes.journal,
    journalPartitions: 4,
    lanes: 16,
    maxConnections: 10,
    log,
    clock,
  };
  const app = await openApp(parts, limits === undefined);
  type Method = 'GET' | 'POST' | Parameters<Bundle['call']>[0];
  const call = async (method: Method, url: string, body: unknown, key: string): Promise<Answer> => {
    const payload = Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body);
    const response = await app.inject({
      method,
      url,
      headers: {
        authorization: `Bearer ${key}`,
        ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(payload === undefined ? {} : { payload }),
    });
    return {
      status: response.statusCode,
      headers: response.headers,
      text: response.body,
      body: response.body.startsWith('{') ? JSON.parse(response.body) : undefined,
    };
  };
  return Object.assign(fakes.state, {
    app,
    clock,
    logged,
    sent: fakes.sent,
    tenants: fakes.tenants,
    events: fakes.events,
    deadLetters: fakes.deadLetters,
    counts: fakes.counts,
    journaled: fakes.journaled,
    webhooks: fakes.webhooks,
    engine: fakes.engine,
    addTenant: fakes.addTenant,
    addEndpoint: fakes.addEndpoint,
    addEvent: fakes.addEvent,
    post: (path: string, body: unknown, key = OPERATOR_KEY) => call('POST', path, body, key),
    get: (path: string, key = OPERATOR_KEY) => call('GET', path, undefined, key),
    call: (method: Method, path: string, body?: unknown, key = OPERATOR_KEY) => call(method, path, body, key),
  });
}

let shared: { readonly app: App; parts: AppParts } | undefined;

/** Compiling its schemas takes long: one app serves the tests of a file, each with parts of its own. */
async function openApp(parts: AppParts, mayShare: boolean): Promise<App> {
  if (!mayShare) {
    const app = createApp(parts);
    await app.ready();
    return app;
  }
  if (shared) shared.parts = parts;
  else {
    const first: { app?: App; parts: AppParts } = { parts };
    first.app = createApp(late(() => (shared ?? first).parts));
    shared = first as { app: App; parts: AppParts };
    await shared.app.ready();
  }
  return shared.app;
}

/** Stands for what `current` gives at the time of each look or call. */
function late<T extends object>(current: () => T): T {
  return new Proxy({} as T, {
    get(_target, name) {
      const look = (): unknown => current()[name as keyof T];
      const value = look();
      if (typeof value === 'function') {
        return (...given: unknown[]) =>
          (current() as Record<PropertyKey, (...all: unknown[]) => unknown>)[name]!(...given);
      }
      const isPlain = typeof value === 'object' && value !== null && !Array.isArray(value);
      return isPlain && !Buffer.isBuffer(value) ? late(() => look() as object) : value;
    },
  });
}

function createFakes(clock: FakeClock) {
  const state = {
    failStore: null as Error | null,
    failSend: null as Error | null,
    failJournal: false,
    neverApplied: false,
  };
  const counts = new Map<string, number>();
  const journaled: JournalEntry[] = [];
  const sent: OutboundRecord[] = [];
  const tenants = new Map<string, TenantConfig>();
  const webhooks = new Map<string, EndpointRow>();
  const events: Bundle['events'] = new Map();
  const deadLetters: DeadLetterRow[] = [];
  const keys = new Map([
    [OPERATOR_KEY, { keyId: 'key_operator', kind: 'operator' as const, tenantId: null as string | null }],
    [ACME_KEY, { keyId: 'key_acme', kind: 'tenant' as const, tenantId: 'acme' as string | null }],
    [OTHER_KEY, { keyId: 'key_other', kind: 'tenant' as const, tenantId: 'other' as string | null }],
  ]);
  const createdAt = new Date(clock.nowMs());
  let change = 1;

  function addTenant(tenantId: string, quotas: Partial<Quotas> = {}): TenantConfig {
    const config = {
      tenantId,
      revision: change++,
      lanes: [1],
      drainingLanes: [],
      lanesRevision: 0,
      cancellations: [],
      retentionDays: 30,
      quotas: { ...QUOTAS, ...quotas },
      endpoints: new Map(),
    };
    tenants.set(tenantId, config);
    return config;
  }

  function addEndpoint(tenantId: string, version: Partial<EndpointVersion> = {}): EndpointId {
    const endpointId = mintEndpointId(clock.nowMs());
    const config = tenants.get(tenantId) ?? addTenant(tenantId);
    const revision = change++;
    const endpoint = {
      endpointId,
      tenantId,
      url: 'https://a.example/',
      state: 'active' as const,
      stateReason: null,
      pauseMode: null,
      secrets: [],
      retryScheduleMs: null,
      attemptTimeoutMs: null,
      maxConcurrency: null,
      maxPerSec: null,
      maxRetryMs: null,
      versions: [{ validFrom: revision, validUntil: null, eventTypes: ['*'], labels: {}, ...version }],
    };
    const endpoints = new Map(config.endpoints).set(endpointId, endpoint);
    tenants.set(tenantId, { ...config, revision, endpoints });
    return endpointId;
  }

  function addEvent(tenantId: string, states: readonly DeliveryRow['state'][]): string {
    const eventId = mintEventId(clock.nowMs());
    const event: EventPayload = {
      eventId,
      type: 'order.created',
      labels: { region: 'eu' },
      contentType: 'application/json',
      occurredAt: createdAt,
      acceptedAt: createdAt,
      revision: 7,
      retentionDays: 30,
      payload: Buffer.from('{"id": 12345678901234567890}'),
    };
    const deliveries = states.map((deliveryState, i) => {
      const endpointId = mintEndpointId(clock.nowMs() + i);
      return {
        deliveryId: deriveDeliveryId(eventId, endpointId, 0),
        tenantId,
        eventId,
        endpointId,
        eventType: event.type,
        run: 0,
        round: 0,
        attempt: 6,
        state: deliveryState,
        nextDueAt: null,
        lastFailure: 'http_5xx',
        lastStatus: 503,
        lastError: 'answered 503',
        createdAt,
        updatedAt: createdAt,
      };
    });
    events.set(eventId, { tenantId, event, deliveries });
    return eventId;
  }

  const answer = async <T>(value: () => T): Promise<T> => {
    if (state.failStore) throw state.failStore;
    return value();
  };
  const eventOf = (tenantId: string, eventId: string) => {
    const found = events.get(eventId);
    return found?.tenantId === tenantId ? found : undefined;
  };
  const deliveryOf = (deliveryId: string) =>
    [...events.values()].flatMap(({ deliveries }) => deliveries).find((row) => row.deliveryId === deliveryId);

  const engine = createFakeEngine({
    tenants,
    webhooks,
    counts,
    now: () => new Date(clock.nowMs()),
    nextChange: () => change++,
    answer,
  });
  const store: Store = {
    findApiKey: (keyHash) =>
      answer(() => [...keys].find(([key]) => hashKey(key).equals(keyHash))?.[1] ?? null),
    addOperatorKey: () => answer(() => undefined),
    countOperatorKeys: () => answer(() => 1),
    createTenant: (tenant) =>
      answer(() => {
        if (tenants.has(tenant.tenantId)) return { kind: 'exists' as const };
        return { kind: 'created' as const, change: addTenant(tenant.tenantId, tenant.quotas).revision };
      }),
    findTenant: (tenantId) =>
      answer(() => {
        const config = tenants.get(tenantId);
        if (!config) return null;
        return {
          ...config,
          name: '',
          lanes: [...config.lanes],
          drainingLanes: [...config.drainingLanes],
          createdAt,
        };
      }),
    updateQuotas: (tenantId, quotas) =>
      answer(() => {
        const config = tenants.get(tenantId);
        if (!config) return null;
        const next = { ...config, quotas: { ...config.quotas, ...quotas }, revision: change++ };
        tenants.set(tenantId, next);
        return { kind: 'changed' as const, change: next.revision, quotas: next.quotas };
      }),
    createEndpoint: (tenantId, endpoint) =>
      answer(() => {
        const config = tenants.get(tenantId);
        if (!config) return { kind: 'unknown_tenant' as const };
        const limit = config.quotas.maxWebhooks;
        if ([...webhooks.values()].filter((row) => row.tenantId === tenantId).length >= limit)
          return { kind: 'too_many' as const, limit };
        webhooks.set(endpoint.endpointId, {
          ...endpoint,
          tenantId,
          maxConcurrency: endpoint.maxConcurrency ?? null,
          maxPerSec: endpoint.maxPerSec ?? null,
          maxRetryMs: endpoint.maxRetryMs ?? null,
          eventTypes: [...endpoint.eventTypes],
          labels: { ...endpoint.labels },
          retryScheduleMs: endpoint.retryScheduleMs && [...endpoint.retryScheduleMs],
          state: 'active',
          stateReason: null,
          pauseMode: null,
          createdAt,
          updatedAt: createdAt,
        });
        return { kind: 'created' as const, change: change++, createdAt };
      }),
    findEndpoint: (tenantId, endpointId) =>
      answer(() => {
        const row = webhooks.get(endpointId);
        return row && (tenantId === null || row.tenantId === tenantId) ? row : null;
      }),
    listEndpoints: (tenantId) =>
      answer(() => [...webhooks.values()].filter((row) => row.tenantId === tenantId)),
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
    ...engine.store,
  };
  const journal = async (entry: JournalEntry): Promise<void> => {
    if (state.failJournal) throw new JournalError('not_written', 'away');
    journaled.push(entry);
  };
  const send = async (record: OutboundRecord): Promise<ProduceAck> => {
    if (state.failSend) throw state.failSend;
    sent.push(record);
    return { partition: record.partition, offset: sent.length, appendTimeMs: null };
  };
  const tenantLookups = {
    get fresh() {
      return state.failStore === null;
    },
    peek: (tenantId: string) => tenants.get(tenantId),
    async get(tenantId: string): Promise<Lookup> {
      const config = tenants.get(tenantId);
      if (config) return { kind: 'found', config };
      return state.failStore ? { kind: 'unavailable', reason: 'away' } : { kind: 'unknown_tenant' };
    },
    whenApplied: async () => !state.neverApplied,
  };
  return {
    state,
    store,
    journal,
    journaled,
    webhooks,
    engine,
    send,
    sent,
    tenants,
    events,
    deadLetters,
    counts,
    tenantLookups,
    addTenant,
    addEndpoint,
    addEvent,
  };
}
