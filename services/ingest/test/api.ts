import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  DEFAULT_TIERS,
  hashKey,
  type JournalEntry,
  MAC_KEY_USE,
  mintKey,
  parseTiers,
} from '@posthorn/contracts';
import { type Database, EVERY_TENANT, openDatabase, type Quotas } from '@posthorn/db';
import type { OutboundRecord, ProduceAck } from '@posthorn/kafka';
import { createLogger, createMetrics, createTracing, systemClock } from '@posthorn/runtime';
import { deriveKeys, parseKeyRing } from '@posthorn/secrets';
import {
  catalogueSource,
  createEventCatalogue,
  createTenantConfigs,
  type TenantConfigs,
} from '@posthorn/tenant-config';
import { createSignalledList, databaseUrl, type SignalledList } from '@posthorn/testkit';
import { createAdmitOnce } from '../src/accept/once/admit-once.ts';
import { openClaims } from '../src/accept/once/claims.ts';
import { createRateWindow } from '../src/accept/rate-window.ts';
import { actWithin } from '../src/access/act-within.ts';
import { createKeys } from '../src/access/auth.ts';
import { createPortalTokens } from '../src/access/portal-token.ts';
import { createPayloadChecks } from '../src/check-payload/payload-checks.ts';
import { type App, type AppParts, createApp } from '../src/http/app.ts';
import { createLoadShedder } from '../src/http/shed-load.ts';
import { createIngestMetrics } from '../src/metrics.ts';
import { createOutcomeWaits } from '../src/resources/webhooks/outcome-waits.ts';
import { openStore } from '../src/store.ts';

const LANES = 16;
const FIRST_LANE = 1;

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely
  readonly body: any;
}

export interface CallOptions {
  /** The key or token; an operator's when left out, no header at all when null. */
  readonly key?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * The API over a Postgres of its own, with nothing but Kafka replaced: what would be written there is caught. Answers
 * are held to their schemas; Postgres is asked with the rights that ingest has.
 */
export interface TestApi {
  readonly app: App;
  readonly parts: AppParts;
  /** As the owner of the tables. */
  readonly database: Database;
  readonly configs: TenantConfigs;
  readonly operatorKey: string;
  readonly sent: SignalledList<OutboundRecord>;
  readonly journaled: SignalledList<JournalEntry>;
  call(method: string, path: string, body?: unknown, options?: CallOptions): Promise<ApiAnswer>;
  /** Straight into Postgres. */
  createTenant(tenantId: string, quotas?: Partial<Quotas>): Promise<{ tenantId: string; key: string }>;
  close(): Promise<void>;
}

export async function startApi(change: (parts: AppParts) => AppParts = (parts) => parts): Promise<TestApi> {
  const url = await databaseUrl();
  const owner = openDatabase({ url, pool: 4, applicationName: 'api-test' });
  const role = { role: 'posthorn_ingest', tenant: EVERY_TENANT };
  const database = openDatabase({ url, pool: 4, applicationName: 'api-test', ...role });
  const log = createLogger('ingest', 'silent');
  const keyRing = parseKeyRing(randomBytes(32).toString('base64'));
  const configs = createTenantConfigs({
    database,
    keyRing,
    log,
    clock: systemClock,
    replicaId: 'ingest-test',
  });
  await configs.start();
  const catalogue = createEventCatalogue({ source: catalogueSource(database), log });
  await catalogue.start();
  const payloadChecks = createPayloadChecks({ clock: systemClock, log });
  const store = openStore(database, database);
  const sent = createSignalledList<OutboundRecord>();
  const journaled = createSignalledList<JournalEntry>();
  const portalTokens = createPortalTokens(keyRing);
  const parts = change({
    keys: createKeys({
      findKey: (keyHash) => store.findApiKey(keyHash),
      findPortalGuard: (tenantId) => store.findPortalGuard(tenantId),
      tokens: portalTokens,
      isDatabaseUp: () => true,
      reportDatabaseDown: () => undefined,
      clock: systemClock,
      maxKeys: 100,
      maxAgeMs: 60_000,
    }),
    portalTokens,
    store,
    tenants: configs,
    catalogue,
    payloadChecks,
    rate: createRateWindow(),
    verification: { mustAgree: false, handshakes: { perform: async () => ({ kind: 'busy' }) } },
    // Nothing records here what comes of a test.
    outcomeWaits: createOutcomeWaits({
      clock: systemClock,
      pause: delay,
      isStopping: () => false,
      maxWaitMs: 0,
    }),
    once: createAdmitOnce({
      claims: openClaims(database, 'events'),
      endOffset: async () => 0,
      produceTimeoutMs: 1_000,
      marginMs: 1_000,
      waitMs: 2_000,
      clock: systemClock,
      wait: delay,
      log,
      count: () => undefined,
      isDatabaseUp: () => true,
      reportDatabaseDown: () => undefined,
    }),
    shedder: createLoadShedder({ maxRequests: 100, maxBytes: 50_000_000 }),
    keyRing,
    signatureHeaderPrefix: 'webhook',
    urlFault: (url) => (/^https?:\/\/[a-z0-9.-]+\.example(:\d+)?(\/|$)/.test(url) ? null : 'may not be used'),
    countDeadLetters: () => 0,
    reportDatabaseDown: () => undefined,
    send: async (record): Promise<ProduceAck> => {
      sent.push(record);
      return { partition: record.partition, offset: sent.items.length, appendTimeMs: null };
    },
    journal: async (entry) => journaled.push(entry),
    checks: [],
    isReady: () => true,
    ingestMetrics: createIngestMetrics(createMetrics('ingest')),
    tracing: createTracing(null, { samplePercent: 0 }),
    eventsTopic: 'events',
    eventPartitions: 8,
    replayTopic: 'replay',
    macKey: deriveKeys(keyRing, MAC_KEY_USE)[0],
    journalPartitions: 4,
    lanes: LANES,
    tiers: parseTiers(DEFAULT_TIERS),
    keptInKafka: [{ topic: 'events', retentionMs: 7 * 86_400_000 }],
    maxConnections: 10,
    loopName: 'posthorn',
    checkAnswers: true,
    log,
    clock: systemClock,
  } as AppParts);
  const app = createApp(parts);
  await app.ready();
  const operatorKey = mintKey('operator').key;
  await actWithin(null, () =>
    store.addOperatorKey({ keyId: 'key_test_operator', keyHash: hashKey(operatorKey) }),
  );
  return {
    app,
    parts,
    database: owner,
    configs,
    operatorKey,
    sent,
    journaled,
    call: (method, path, body, options = {}) =>
      call(app, method, path, body, { key: operatorKey, ...options }),
    async createTenant(tenantId, quotas = {}) {
      const key = mintKey('tenant');
      const actor = { keyId: 'key_test_operator', name: null, ip: null, requestId: 'req_test' };
      const created = await actWithin(null, () =>
        store.tenants.create({ tenantId, name: '', lanes: [FIRST_LANE], quotas }, key, actor),
      );
      if (created.kind !== 'created') throw new Error(`${tenantId} is there already`);
      return { tenantId, key: key.key };
    },
    async close() {
      await app.close();
      await configs.stop();
      await catalogue.stop();
      await payloadChecks.stop();
      await Promise.all([database.close(), owner.close()]);
    },
  };
}

async function call(
  app: App,
  method: string,
  path: string,
  body: unknown,
  { key, headers = {} }: CallOptions,
): Promise<ApiAnswer> {
  const payload = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const response = await app.inject({
    method: method as 'GET',
    url: path,
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(payload === undefined ? {} : { payload }),
  });
  return {
    status: response.statusCode,
    headers: response.headers,
    text: response.body,
    body: isJson(response.headers) ? JSON.parse(response.body) : undefined,
  };
}

const isJson = (headers: Record<string, unknown>): boolean =>
  /^application\/(problem\+)?json\b/.test(String(headers['content-type']));
