import { setTimeout as delay } from 'node:timers/promises';
import { MAC_KEY_USE, topicNames, topicSpecs } from '@posthorn/contracts';
import { checkUrl, egressPolicy } from '@posthorn/egress';
import type { HealthCheck } from '@posthorn/runtime';
import { deriveKeys } from '@posthorn/secrets';
import { openAdmitOnce } from './accept/once/open-admit-once.ts';
import { createKeys, type Keys } from './access/auth.ts';
import { createPortalTokens, type PortalTokens } from './access/portal-token.ts';
import type { AppParts } from './http/app.ts';
import { createLoadShedder } from './http/shed-load.ts';
import type { IngestMetrics } from './metrics.ts';
import type { IngestOptions, Resources } from './open-resources.ts';
import { keptInKafka } from './resources/events/expunge.ts';
import { createOutcomeWaits } from './resources/webhooks/outcome-waits.ts';

/** What the routes work with, out of what outlives them. */
export function wireApp(
  options: IngestOptions,
  resources: Resources,
  ingestMetrics: IngestMetrics,
  isReady: () => boolean,
): AppParts {
  const { config, log, clock, tracing } = options;
  const { store, configs, catalogue, payloadChecks, rate, producer, journal, postgres } = resources;
  const topics = topicNames(config.topicPrefix);
  const policy = egressPolicy(config);
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
  const portalTokens = createPortalTokens(config.keyRing);
  const keys = openKeys(options, resources, portalTokens);
  gaugeFrom(options, resources, ingestMetrics, { keys, once, outcomeWaits, shedder });
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
    keyRing: config.keyRing,
    signatureHeaderPrefix: config.signatureHeaderPrefix,
    verification: { mustAgree: config.endpointVerification === 'required', handshakes: resources.handshakes },
    urlFault: (url) => {
      const check = checkUrl(url, policy);
      return check.ok ? null : check.detail;
    },
    countDeadLetters: (tenantId) => postgres.countDeadLetters(tenantId),
    reportDatabaseDown: () => postgres.reportDown(),
    macKey: deriveKeys(config.keyRing, MAC_KEY_USE)[0],
    journal: (entry) => journal.append(entry),
    send: (record) => producer.send(record),
    checks: healthChecks(resources),
    eventsTopic: topics.events,
    eventPartitions: config.eventPartitions,
    replayTopic: topics.replay,
    journalPartitions: config.journalPartitions,
    lanes: config.lanes,
    tiers: config.tiers,
    keptInKafka: keptInKafka(topicSpecs(config)),
    maxConnections: config.maxConnections,
    trustedProxies: config.trustedProxies,
    loopName: config.loopName,
    allowedOrigins: config.allowedOrigins,
  };
}

function openKeys(
  { config, clock }: IngestOptions,
  { store, postgres }: Resources,
  tokens: PortalTokens,
): Keys {
  return createKeys({
    findKey: (keyHash) => store.findApiKey(keyHash),
    findPortalGuard: (tenantId) => store.findPortalGuard(tenantId),
    tokens,
    isDatabaseUp: () => postgres.up,
    reportDatabaseDown: () => postgres.reportDown(),
    clock,
    maxKeys: config.maxCachedKeys,
    maxAgeMs: config.configMaxAgeMs,
  });
}

function gaugeFrom(
  { clock }: IngestOptions,
  resources: Resources,
  ingestMetrics: IngestMetrics,
  { keys, once, outcomeWaits, shedder }: Pick<AppParts, 'keys' | 'once' | 'outcomeWaits' | 'shedder'>,
): void {
  const { catalogue, payloadChecks, rate, producer, journal, kafka, postgres } = resources;
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
    handshakes: () => resources.handshakes.underWay,
    databaseQuestions: () => resources.questions.underWay + resources.claimQuestions.underWay,
    postgresUp: () => postgres.up,
    kafkaUp: () => kafka.up,
  });
}

/** Without Postgres events of cached tenants are still accepted, without Kafka none are. */
export const healthChecks = ({ kafka, postgres }: Pick<Resources, 'kafka' | 'postgres'>): HealthCheck[] => [
  { name: 'kafka', required: true, isUp: () => kafka.up },
  { name: 'postgres', required: false, isUp: () => postgres.up },
];
