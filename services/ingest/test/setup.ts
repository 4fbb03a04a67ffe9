import { type EndpointId, type JournalEntry, MAC_KEY_USE, OPERATOR_TENANT_ID } from '@posthorn/contracts';
import type { DeadLetterRow, DeliveryRow, EndpointRow, Quotas } from '@posthorn/db';
import { JournalError } from '@posthorn/journal';
import type { OutboundRecord, ProduceAck } from '@posthorn/kafka';
import { createLogger, createMetrics, createTracing } from '@posthorn/runtime';
import { deriveKeys, parseKeyRing } from '@posthorn/secrets';
import type { EndpointVersion, Lookup, TenantConfig } from '@posthorn/tenant-config';
import { createFakeClock, type FakeClock } from '@posthorn/testkit';
import { createAdmitOnce } from '../src/accept/once/admit-once.ts';
import { createRateWindow } from '../src/accept/rate-window.ts';
import { createKeys } from '../src/access/auth.ts';
import { createPortalTokens } from '../src/access/portal-token.ts';
import { type App, type AppParts, createApp } from '../src/http/app.ts';
import { createLoadShedder } from '../src/http/shed-load.ts';
import { createIngestMetrics } from '../src/metrics.ts';
import { createOutcomeWaits } from '../src/resources/webhooks/outcome-waits.ts';
import { createFakeClaims, type FakeClaims } from './fake-claims.ts';
import type { FakeEngine } from './fake-engine.ts';
import { ACME_KEY, createFakeStore, OPERATOR_KEY, OTHER_KEY } from './fake-store.ts';
import { createFakeTables, type FakeEvent, type FakeTables, QUOTAS } from './fake-tables.ts';

export { ACME_KEY, OPERATOR_KEY, OTHER_KEY, QUOTAS };

const ONCE_TIMES = { produceTimeoutMs: 5_000, marginMs: 5_000, waitMs: 5_000 };
const KEY_RING = parseKeyRing(Buffer.alloc(32).toString('base64'));
export const MAC_KEY = deriveKeys(KEY_RING, MAC_KEY_USE)[0];

// One for all: each registry starts observers of the process.
const ingestMetrics = createIngestMetrics(createMetrics('ingest'));

/** The app over fakes of everything it talks to; tests act on the fakes and look at what was sent. */
export interface Bundle {
  readonly app: App;
  readonly parts: AppParts;
  readonly clock: FakeClock;
  readonly sent: OutboundRecord[];
  readonly logged: Record<string, unknown>[];
  readonly tenants: Map<string, TenantConfig>;
  readonly events: Map<string, FakeEvent>;
  readonly deadLetters: DeadLetterRow[];
  readonly counts: Map<string, number>;
  readonly journaled: JournalEntry[];
  readonly webhooks: Map<string, EndpointRow>;
  readonly engine: FakeEngine;
  readonly claims: FakeClaims;
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
  const tables = createFakeTables(clock);
  const { store, engine } = createFakeStore(tables);
  const fakes = createFakes(tables, clock);
  const logged: Record<string, unknown>[] = [];
  const log = createLogger('ingest', 'info', { write: (line) => void logged.push(JSON.parse(line)) });
  const { maxRequests = 100, maxBytes = 10_000_000 } = limits ?? {};
  const parts: AppParts = {
    keys: createKeys({
      findKey: (keyHash) => store.findApiKey(keyHash),
      findPortalGuard: (tenantId) => store.findPortalGuard(tenantId),
      tokens: createPortalTokens(KEY_RING),
      isDatabaseUp: () => fakes.state.failStore === null,
      reportDatabaseDown: () => undefined,
      clock,
      maxKeys: 100,
      maxAgeMs: 60_000,
    }),
    portalTokens: createPortalTokens(KEY_RING),
    store,
    tenants: fakes.tenantLookups,
    catalogue: { find: () => undefined, loaded: true, poll: async () => true },
    payloadChecks: { check: async () => ({ kind: 'fits' }), inspect: async () => ({ kind: 'fits' }) },
    rate: createRateWindow(),
    verification: { mustAgree: false, handshakes: { perform: async () => ({ kind: 'busy' }) } },
    outcomeWaits: createOutcomeWaits({
      clock,
      pause: async (ms) => clock.advance(ms),
      isStopping: () => false,
    }),
    once: createAdmitOnce({
      ...ONCE_TIMES,
      claims: fakes.claims,
      endOffset: async () => 0,
      clock,
      wait: async (ms) => clock.advance(ms),
      log,
      count: () => undefined,
      isDatabaseUp: () => true,
      reportDatabaseDown: () => undefined,
    }),
    shedder: createLoadShedder({ maxRequests, maxBytes }),
    keyRing: KEY_RING,
    signatureHeaderPrefix: 'webhook',
    urlFault: (url) => (/^https?:\/\/[a-z0-9.-]+\.example(:\d+)?(\/|$)/.test(url) ? null : 'may not be used'),
    countDeadLetters: (tenantId) => tables.counts.get(tenantId) ?? 0,
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
    tiers: [],
    keptInKafka: [],
    maxConnections: 10,
    loopName: 'posthorn',
    checkAnswers: true,
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
    parts,
    clock,
    logged,
    sent: fakes.sent,
    tenants: tables.tenants,
    events: tables.events,
    deadLetters: tables.deadLetters,
    counts: tables.counts,
    journaled: fakes.journaled,
    webhooks: tables.webhooks,
    engine,
    claims: fakes.claims,
    addTenant: tables.addTenant,
    addEndpoint: tables.addEndpoint,
    addEvent: tables.addEvent,
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

/** Every question rejects while there is an error to reject with. */
function failing(claims: FakeClaims, failure: () => Error | null): FakeClaims {
  return new Proxy(claims, {
    get(target, name: keyof FakeClaims) {
      const value = target[name];
      if (typeof value !== 'function') return value;
      return async (...given: unknown[]) => {
        const error = failure();
        if (error) throw error;
        return (value as (...all: unknown[]) => unknown)(...given);
      };
    },
  });
}

/** What else the app talks to: Kafka, the journal, the configuration that is at hand. */
function createFakes({ state: database, tenants }: FakeTables, clock: FakeClock) {
  const state = Object.assign(database, {
    failSend: null as Error | null,
    failJournal: false,
    neverApplied: false,
  });
  const journaled: JournalEntry[] = [];
  const sent: OutboundRecord[] = [];
  const journal = async (entry: JournalEntry): Promise<void> => {
    if (state.failJournal) throw new JournalError('not_written', 'away');
    journaled.push(entry);
  };
  const send = async (record: OutboundRecord): Promise<ProduceAck> => {
    if (state.failSend) throw state.failSend;
    sent.push(record);
    return { partition: record.partition, offset: sent.length, appendTimeMs: null };
  };
  const claims = failing(createFakeClaims(clock.nowMs), () => state.failStore);
  const tenantLookups = {
    get fresh() {
      return state.failStore === null;
    },
    peek: (tenantId: string) => tenants.get(tenantId),
    async get(tenantId: string): Promise<Lookup> {
      const config = tenants.get(tenantId);
      if (config) return { kind: 'found', config };
      // The operator's own is looked up at the start.
      const isKnown = !state.failStore || tenantId === OPERATOR_TENANT_ID;
      return isKnown ? { kind: 'unknown_tenant' } : { kind: 'unavailable', reason: 'away' };
    },
    whenApplied: async () => !state.neverApplied,
  };
  return { state, journal, journaled, send, sent, tenantLookups, claims };
}
