import { randomBytes } from 'node:crypto';
import { topicNames } from '@posthorn/contracts';
import { type Database, openDatabase } from '@posthorn/db';
import { egressAgent, type GuardedAgent } from '@posthorn/egress';
import { createJournalWriter, type JournalWriter } from '@posthorn/journal';
import {
  type Admin,
  connectKafka,
  createAdmin,
  createProducer,
  type KafkaClient,
  type Producer,
} from '@posthorn/kafka';
import {
  type Clock,
  databaseOptions,
  kafkaConnection,
  type Logger,
  type Metrics,
  type Tracing,
} from '@posthorn/runtime';
import {
  catalogueSource,
  createEventCatalogue,
  createTenantConfigs,
  type EventCatalogue,
  type TenantConfigs,
} from '@posthorn/tenant-config';
import { createRateWindow, type RateWindow } from './accept/rate-window.ts';
import { actWithin } from './access/act-within.ts';
import { createPayloadChecks, type PayloadChecks } from './check-payload/payload-checks.ts';
import type { IngestConfig } from './config.ts';
import type { IngestMetrics } from './metrics.ts';
import {
  createQuestionGate,
  MAX_CLAIM_QUESTIONS,
  MAX_CLAIM_QUESTIONS_OF_TENANT,
  MAX_QUESTIONS,
  type QuestionGate,
} from './question-gate.ts';
import { createHandshakes, type Handshakes } from './resources/webhooks/verification/handshake.ts';
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

const CHALLENGE_BYTES = 32;

interface Databases {
  readonly database: Database;
  /** For what stands before every request and for what keeps configuration current: changes never wait in front of it. */
  readonly lookups: Database;
  /** For events with a key or an id alone. */
  readonly claims: Database;
}

interface Brokers {
  readonly client: KafkaClient;
  readonly admin: Admin;
  readonly producer: Producer;
  readonly journal: JournalWriter;
  readonly kafka: KafkaWatch;
}

/** What outlives a request: connections, caches, and what watches them. */
export interface Resources extends Databases, Brokers {
  /** The way out, for handshakes alone. */
  readonly agent: GuardedAgent;
  readonly handshakes: Handshakes;
  readonly questions: QuestionGate;
  readonly claimQuestions: QuestionGate;
  readonly store: Store;
  readonly configs: TenantConfigs;
  readonly catalogue: EventCatalogue;
  readonly payloadChecks: PayloadChecks;
  readonly rate: RateWindow;
  readonly postgres: PostgresWatch;
}

/** Opens nothing by itself: the parts of the service start them. */
export function openResources(options: IngestOptions, ingestMetrics: IngestMetrics): Resources {
  const { config, log, clock } = options;
  const databases = openDatabases(options);
  const { database, lookups } = databases;
  const questions = createQuestionGate(MAX_QUESTIONS);
  const store = openStore(database, lookups, questions);
  const keep: Store['quotas']['keepWarnings'] = (quota, events) =>
    actWithin(null, () => store.quotas.keepWarnings(quota, events));
  const near = createNearLimits({ keep, clock, log });
  const rate = createRateWindow({ onNear: near.tell });
  const agent = egressAgent(config, {
    onEvent(event) {
      if (event.kind !== 'blocked') return;
      ingestMetrics.countBlocked(event.why);
      log.warn({ origin: event.origin, reason: event.reason }, 'address blocked');
    },
  });
  return {
    ...databases,
    agent,
    handshakes: createHandshakes({
      agent,
      origin: config.verificationOrigin,
      makeChallenge: () => randomBytes(CHALLENGE_BYTES).toString('base64url'),
    }),
    ...openBrokers(options, ingestMetrics),
    questions,
    claimQuestions: createQuestionGate(MAX_CLAIM_QUESTIONS, MAX_CLAIM_QUESTIONS_OF_TENANT),
    store,
    rate,
    configs: createTenantConfigs({
      database: lookups,
      keyRing: config.keyRing,
      log,
      clock,
      maxEndpoints: config.maxCachedEndpoints,
      maxAgeMs: config.configMaxAgeMs,
      replicaId: rate.replicaId,
      rates: rate,
    }),
    catalogue: createEventCatalogue({ source: catalogueSource(lookups), log }),
    payloadChecks: createPayloadChecks({ clock, log, observe: ingestMetrics.countPayloadCheck }),
    postgres: createPostgresWatch({
      ping: () => lookups.ping(),
      deadLetterCounts: () => store.deadLetterCounts(),
      log,
    }),
  };
}

function openDatabases({ config, log }: IngestOptions): Databases {
  const open = (applicationName: string, pool: number): Database =>
    openDatabase({ ...databaseOptions(config, applicationName), pool, log });
  return {
    database: open('posthorn-ingest', config.databasePool),
    lookups: open('posthorn-ingest-lookups', config.databaseLookupPool),
    claims: open('posthorn-ingest-claims', config.databaseClaimPool),
  };
}

/** Cancellations and removed dead letters: a hundred bytes each. */
const MAX_JOURNAL_BUFFERED_BYTES = 1024 * 1024;

function openBrokers({ config, log }: IngestOptions, ingestMetrics: IngestMetrics): Brokers {
  const topics = topicNames(config.topicPrefix);
  const client = connectKafka(kafkaConnection(config, 'posthorn-ingest'), log);
  const admin = createAdmin(client);
  const kafka = createKafkaWatch({ admin, topic: topics.events, log });
  const producer = createProducer(client, {
    deliveryTimeoutMs: config.produceTimeoutMs,
    maxBufferedBytes: config.maxBufferedBytes,
    onRequest: (report) => {
      kafka.observe(report);
      ingestMetrics.observeProduce(report.outcome, report.durationMs);
    },
  });
  const journal = createJournalWriter({
    producer,
    topic: topics.journal,
    partitions: config.journalPartitions,
    maxBufferedBytes: MAX_JOURNAL_BUFFERED_BYTES,
    // Somebody waits for the answer and can ask again.
    maxSends: 1,
  });
  return { client, admin, kafka, producer, journal };
}
