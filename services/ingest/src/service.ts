import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { deriveMacKey, hashKey, OPERATOR_TENANT_ID, topicNames, topicSpecs } from '@posthorn/contracts';
import { type Database, openDatabase } from '@posthorn/db';
import { checkUrl, createAddressPolicy } from '@posthorn/egress';
import { createJournalWriter, type JournalWriter } from '@posthorn/journal';
import {
  type Admin,
  connectKafka,
  createAdmin,
  createProducer,
  type KafkaClient,
  type Producer,
  refuseUnsafeTopics,
} from '@posthorn/kafka';
import {
  type Clock,
  createAdminPart,
  createLifecycle,
  type HealthCheck,
  type Lifecycle,
  type Logger,
  type Metrics,
  type Part,
  type Tracing,
} from '@posthorn/runtime';
import {
  catalogueSource,
  createEventCatalogue,
  createTenantConfigs,
  type EventCatalogue,
  type TenantConfigs,
} from '@posthorn/tenant-config';
import { openAdmitOnce } from './accept/once/open-admit-once.ts';
import { createRateWindow, type RateWindow } from './accept/rate-window.ts';
import { createKeys } from './access/auth.ts';
import { createPortalTokens } from './access/portal-token.ts';
import { createPayloadChecks, type PayloadChecks } from './check-payload/payload-checks.ts';
import type { IngestConfig } from './config.ts';
import { type AppParts, createApp } from './http/app.ts';
import { createLoadShedder } from './http/shed-load.ts';
import { createIngestMetrics, type IngestMetrics } from './metrics.ts';
import {
  createQuestionGate,
  MAX_CLAIM_QUESTIONS,
  MAX_CLAIM_QUESTIONS_OF_TENANT,
  MAX_QUESTIONS,
  type QuestionGate,
} from './question-gate.ts';
import { keptInKafka } from './resources/events/expunge.ts';
import { createOutcomeWaits } from './resources/webhooks/outcome-waits.ts';
import { openStore, type Store } from './store.ts';
import { createNearLimits } from './watch/tell-near-limits.ts';
import { createKafkaWatch, type KafkaWatch } from './watch/watch-kafka.ts';
import { createPostgresWatch, type PostgresWatch } from './watch/watch-postgres.ts';

export interface IngestOptions {
  readonly config: IngestConfig;
  readonly log: Logger;
  readonly tracing: Tracing;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

export interface Ingest {
  readonly lifecycle: Lifecycle;
  /** Where the API is served; undefined before the start. */
  readonly port: number | undefined;
}

/** What outlives a request: connections, caches, and what watches them. */
interface Resources {
  readonly database: Database;
  /** For what stands before every request and for what keeps configuration current: changes never wait in front of it. */
  readonly lookups: Database;
  /** For events with a key or an id alone. */
  readonly claims: Database;
  readonly questions: QuestionGate;
  readonly claimQuestions: QuestionGate;
  readonly store: Store;
  readonly configs: TenantConfigs;
  readonly catalogue: EventCatalogue;
  readonly payloadChecks: PayloadChecks;
  readonly rate: RateWindow;
  readonly client: KafkaClient;
  readonly admin: Admin;
  readonly producer: Producer;
  readonly journal: JournalWriter;
  readonly kafka: KafkaWatch;
  readonly postgres: PostgresWatch;
}

/** Ingest: the HTTP API, and the producer of `events` and `replay`. */
export function createIngest(options: IngestOptions): Ingest {
  const { config, log } = options;
  const ingestMetrics = createIngestMetrics(options.metrics);
  const resources = openResources(options, ingestMetrics);
  const isReady = (): boolean => lifecycle.mode === 'running';
  const app = createApp(wireApp(options, resources, ingestMetrics, isReady));
  const { database, lookups, claims, store, configs, client, admin, producer, journal, kafka, postgres } =
    resources;
  const { catalogue, payloadChecks } = resources;
  // Stopped from the end: first no request is taken any more, then those under way end, then connections close.
  const parts: Part[] = [
    { name: 'tracing', stop: () => options.tracing.stop() },
    {
      name: 'postgres',
      stop: async () => void (await Promise.all([database, lookups, claims].map((each) => each.close()))),
    },
    createAdminPart({
      host: config.adminHost,
      port: config.adminPort,
      metrics: options.metrics,
      checks: healthChecks(resources),
      isReady,
    }),
    {
      name: 'topics',
      start: () => refuseUnsafeTopics(client, topicSpecs(config)),
      stop: () => admin.close(),
    },
    { name: 'operator key', start: () => addOperatorKey(store, config, log) },
    { name: 'postgres watch', start: () => postgres.start(), stop: () => postgres.stop() },
    { name: 'tenant configuration', start: () => startConfigs(configs), stop: () => configs.stop() },
    { name: 'event types', start: () => catalogue.start(), stop: () => catalogue.stop() },
    { name: 'payload checks', stop: () => payloadChecks.stop() },
    { name: 'producer', start: () => producer.start(), stop: () => producer.stop() },
    { name: 'journal', stop: () => journal.stop() },
    { name: 'kafka watch', start: () => kafka.start(), stop: () => kafka.stop() },
    {
      name: 'http',
      async start() {
        const address = await app.listen({ host: config.host, port: config.port });
        log.info({ address }, 'api listening');
      },
      stop: () => app.close(),
    },
  ];
  const lifecycle = createLifecycle(parts, log);
  return {
    lifecycle,
    get port() {
      return (app.server.address() as AddressInfo | null)?.port;
    },
  };
}

/** Cancellations and removed dead letters: a hundred bytes each. */
const MAX_JOURNAL_BUFFERED_BYTES = 1024 * 1024;

function openResources({ config, log, clock }: IngestOptions, ingestMetrics: IngestMetrics): Resources {
  const url = config.databaseUrl;
  const database = openDatabase({
    url,
    pool: config.databasePool,
    applicationName: 'posthorn-ingest',
    log,
  });
  const lookups = openDatabase({
    url,
    pool: config.databaseLookupPool,
    applicationName: 'posthorn-ingest-lookups',
    log,
  });
  const claims = openDatabase({
    url,
    pool: config.databaseClaimPool,
    applicationName: 'posthorn-ingest-claims',
    log,
  });
  const questions = createQuestionGate(MAX_QUESTIONS);
  const claimQuestions = createQuestionGate(MAX_CLAIM_QUESTIONS, MAX_CLAIM_QUESTIONS_OF_TENANT);
  const store = openStore(database, lookups, questions);
  const near = createNearLimits({ keep: store.quotas.keepWarnings, clock, log });
  const rate = createRateWindow({ onNear: near.tell });
  const client = connectKafka({ brokers: [...config.kafkaBrokers], clientId: 'posthorn-ingest' }, log);
  const admin = createAdmin(client);
  const topics = topicNames(config.topicPrefix);
  const kafka = createKafkaWatch({ admin, topic: topics.events, log });
  const producer = createProducer(client, {
    deliveryTimeoutMs: config.produceTimeoutMs,
    maxBufferedBytes: config.maxBufferedBytes,
    onRequest: (report) => {
      kafka.observe(report);
      ingestMetrics.observeProduce(report.outcome, report.durationMs);
    },
  });
  return {
    database,
    lookups,
    rate,
    claims,
    questions,
    claimQuestions,
    store,
    client,
    admin,
    kafka,
    configs: createTenantConfigs({
      database: lookups,
      secretsKey: config.secretsKey,
      log,
      clock,
      maxEndpoints: config.maxCachedEndpoints,
      maxAgeMs: config.configMaxAgeMs,
      replicaId: rate.replicaId,
      rates: rate,
    }),
    catalogue: createEventCatalogue({ source: catalogueSource(lookups), log }),
    payloadChecks: createPayloadChecks({ clock, log, observe: ingestMetrics.countPayloadCheck }),
    producer,
    journal: createJournalWriter({
      producer,
      topic: topics.journal,
      partitions: config.journalPartitions,
      maxBufferedBytes: MAX_JOURNAL_BUFFERED_BYTES,
      // Somebody waits for the answer and can ask again.
      maxSends: 1,
    }),
    postgres: createPostgresWatch({
      ping: () => lookups.ping(),
      deadLetterCounts: () => store.deadLetterCounts(),
      log,
    }),
  };
}

function wireApp(
  options: IngestOptions,
  resources: Resources,
  ingestMetrics: IngestMetrics,
  isReady: () => boolean,
): AppParts {
  const { config, log, clock, tracing } = options;
  const { store, configs, catalogue, payloadChecks, rate, producer, journal, kafka, postgres } = resources;
  const topics = topicNames(config.topicPrefix);
  const policy = createAddressPolicy({ allowedCidrs: config.egressAllowedCidrs });
  const once = openAdmitOnce({ ...resources, config, clock, log, metrics: ingestMetrics });
  const shedder = createLoadShedder({
    maxRequests: config.maxRequestsInFlight,
    maxBytes: config.maxRequestBytesInFlight,
  });
  const outcomeWaits = createOutcomeWaits({
    clock,
    pause: delay,
    isStopping: () => !isReady(),
    maxWaitMs: config.maxTestWaitMs,
  });
  const portalTokens = createPortalTokens(config.secretsKey.bytes);
  const keys = createKeys({
    findKey: (keyHash) => store.findApiKey(keyHash),
    findPortalGuard: (tenantId) => store.findPortalGuard(tenantId),
    tokens: portalTokens,
    isDatabaseUp: () => postgres.up,
    reportDatabaseDown: () => postgres.reportDown(),
    clock,
    maxKeys: config.maxCachedKeys,
    maxAgeMs: config.configMaxAgeMs,
  });
  ingestMetrics.gaugeFrom({
    bufferedBytes: () => producer.bufferedBytes,
    bufferedRecords: () => producer.bufferedRecords,
    journalBufferedBytes: () => journal.stats().bufferedBytes,
    requestsInFlight: () => shedder.requests,
    requestBytesInFlight: () => shedder.bytes,
    cachedKeys: () => keys.size,
    rateWindows: () => rate.tenants,
    rateReplicas: () => rate.replicas,
    rateApart: () => rate.isApart(clock.monotonicMs()),
    keyedWaiting: () => once.waiting,
    eventTypes: () => catalogue.size,
    checksWaiting: () => payloadChecks.size,
    compiledSchemas: () => payloadChecks.compiledSchemas,
    testsWaiting: () => outcomeWaits.waiting,
    databaseQuestions: () => resources.questions.underWay + resources.claimQuestions.underWay,
    postgresUp: () => postgres.up,
    kafkaUp: () => kafka.up,
  });
  return {
    keys,
    portalTokens,
    store,
    rate,
    once,
    shedder,
    outcomeWaits,
    clock,
    tracing,
    log,
    ingestMetrics,
    isReady,
    tenants: configs,
    catalogue,
    payloadChecks,
    secretsKey: config.secretsKey,
    urlFault: (url) => {
      const check = checkUrl(url, policy);
      return check.ok ? null : check.detail;
    },
    countDeadLetters: (tenantId) => postgres.countDeadLetters(tenantId),
    reportDatabaseDown: () => postgres.reportDown(),
    macKey: deriveMacKey(config.secretsKey.bytes),
    journal: (entry) => journal.append(entry),
    send: (record) => producer.send(record),
    checks: healthChecks({ kafka, postgres }),
    eventsTopic: topics.events,
    eventPartitions: config.eventPartitions,
    replayTopic: topics.replay,
    journalPartitions: config.journalPartitions,
    lanes: config.lanes,
    tiers: config.tiers,
    keptInKafka: keptInKafka(topicSpecs(config)),
    maxConnections: config.maxConnections,
    trustedProxies: config.trustedProxies,
  };
}

/** The operator's own is needed for the second stamp of every event, also when Postgres goes away later. */
async function startConfigs(configs: TenantConfigs): Promise<void> {
  await configs.start();
  await configs.get(OPERATOR_TENANT_ID);
}

/** Without Postgres events of cached tenants are still accepted, without Kafka none are. */
const healthChecks = ({ kafka, postgres }: Pick<Resources, 'kafka' | 'postgres'>): HealthCheck[] => [
  { name: 'kafka', required: true, isUp: () => kafka.up },
  { name: 'postgres', required: false, isUp: () => postgres.up },
];

async function addOperatorKey(store: Store, config: IngestConfig, log: Logger): Promise<void> {
  if (config.operatorKey !== '') {
    const keyHash = hashKey(config.operatorKey);
    await store.addOperatorKey({ keyId: `key_${keyHash.toString('hex', 0, 8)}`, keyHash });
  } else if ((await store.countOperatorKeys()) === 0) {
    log.warn({}, 'there is no operator key: make one with posthorn keys create-operator');
  }
}
