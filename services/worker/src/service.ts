import { randomUUID } from 'node:crypto';
import { topicNames, topicSpecs } from '@posthorn/contracts';
import { openDatabase } from '@posthorn/db';
import { egressAgent } from '@posthorn/egress';
import { createJournalWriter } from '@posthorn/journal';
import {
  type Consumer,
  connectKafka,
  createConsumer,
  createProducer,
  refuseUnsafeTopics,
} from '@posthorn/kafka';
import {
  type Clock,
  createAdminPart,
  createLifecycle,
  databaseOptions,
  failpoint,
  kafkaConnection,
  type Lifecycle,
  type Logger,
  type Metrics,
  type Part,
  type Tracing,
} from '@posthorn/runtime';
import { createTenantConfigs } from '@posthorn/tenant-config';
import type { WorkerConfig } from './config.ts';
import { createWorkerMetrics } from './metrics.ts';
import { countEgress } from './observe-egress.ts';
import { observeWorker } from './observe-worker.ts';
import { createPipeline, type Pipeline } from './pipeline.ts';
import { createReports } from './report/reports.ts';

export interface WorkerOptions {
  readonly config: WorkerConfig;
  readonly log: Logger;
  readonly tracing: Tracing;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** The consumer is dead and will not come back by itself: end the process. */
  onFatal(error: Error): void;
}

export interface Worker {
  readonly lifecycle: Lifecycle;
  /** Where health and metrics are served; undefined before the start. */
  readonly adminPort: number | undefined;
}

/** At a rebalance what is in flight gets this long; what takes longer goes on while the lanes move. */
const REJOIN_DRAIN_MS = 1_000;
/** A rebalance is noticed by the answer to a heartbeat: so long the lanes of a worker that left belong to nobody. */
const HEARTBEAT_INTERVAL_MS = 500;
/** A stop waits for the longest deadline that an endpoint can have, and for the settling after it. */
const STOP_DRAIN_MS = 60_000 + 8_000;
const STOP_TIMEOUT_MS = STOP_DRAIN_MS + 10_000;
/** Below the fence of seven seconds: what is not acknowledged by then may be another worker's to send. */
const PRODUCE_TIMEOUT_MS = 5_000;

export function createWorker(options: WorkerOptions): Worker {
  const { config, log } = options;
  const names = topicNames(config.topicPrefix);
  const clients = openClients(options, () => consumer.mayAct());
  const { kafka, producer, journal } = clients;
  const workerId = randomUUID();
  const pipeline = createPipeline({
    ...options,
    ...clients,
    workerId,
    produce: producer.send,
    // Its producer has no fence: what a new owner waits for is asked of the slot itself, each time.
    produceHeld: clients.journalProducer.send,
    journal: journal.append,
    mayBegin: () => consumer.mayBegin(),
    mayAct: () => consumer.mayAct(),
    reader: {
      resume: (topic, lane) => consumer.resume(topic, lane),
      park: (topic, lane, parked) => consumer.park(topic, lane, parked),
      reread: (topic, lane, offset) => consumer.reread(topic, lane, offset),
      mayBegin: () => consumer.mayBegin(),
      stats: () => consumer.stats(),
    },
  });
  const reports = createReports({
    ...options,
    ...clients,
    pipeline,
    workerId,
    stats: () => consumer.stats(),
  });
  const consumer = createConsumer(kafka, {
    groupId: `${config.topicPrefix}worker`,
    topics: [names.deliveries, names.overflow],
    assigned: (topic, lane, at) => pipeline.intake.assigned(topic, lane, at),
    slotCount: (record) => pipeline.intake.slotCount(record),
    // The consumer lets nothing begin from here until it has joined.
    beforeRejoin: async () => {
      failpoint('at-revocation');
      await pipeline.whenIdle(REJOIN_DRAIN_MS);
    },
    rejoined: () => pipeline.starter.wake(),
    drainTimeoutMs: REJOIN_DRAIN_MS,
    heartbeatIntervalMs: HEARTBEAT_INTERVAL_MS,
    onFatal: options.onFatal,
  });
  observeWorker(options.metrics, { ...pipeline, ...clients, consumer, config });

  const admin = createAdminPart({
    host: config.adminHost,
    port: config.adminPort,
    log,
    metrics: options.metrics,
    checks: [
      { name: 'kafka', required: true, isUp: () => consumer.mayAct() },
      { name: 'postgres', required: false, isUp: () => clients.database.ping() },
    ],
    isReady: () => lifecycle.mode === 'running',
  });
  const deliveries: Part = {
    name: 'deliveries',
    start: () => startDeliveries(pipeline, consumer),
    stop: () => stopDeliveries(pipeline, consumer, log),
  };
  const parts = listParts(options, clients, admin, [reports, deliveries]);
  const lifecycle = createLifecycle(parts, log, STOP_TIMEOUT_MS);
  return {
    lifecycle,
    get adminPort() {
      return admin.port;
    },
  };
}

type Clients = ReturnType<typeof openClients>;

function openClients({ config, log, clock, metrics: registry }: WorkerOptions, mayAct: () => boolean) {
  const kafka = connectKafka(kafkaConnection(config, 'posthorn-worker'), log);
  const database = openDatabase(databaseOptions(config, 'posthorn-worker'));
  const metrics = createWorkerMetrics(registry, clock);
  const produceOptions = { deliveryTimeoutMs: PRODUCE_TIMEOUT_MS, onRequest: metrics.produced };
  // What happened stays true when the lanes are gone, and entries may come twice: no fence for the journal.
  const journalProducer = createProducer(kafka, produceOptions);
  return {
    kafka,
    database,
    metrics,
    configs: createTenantConfigs({ database, keyRing: config.keyRing, log, clock }),
    agent: egressAgent(config, countEgress(registry)),
    producer: createProducer(kafka, { ...produceOptions, mayStart: mayAct }),
    journalProducer,
    journal: createJournalWriter({
      producer: journalProducer,
      topic: topicNames(config.topicPrefix).journal,
      partitions: config.journalPartitions,
    }),
  };
}

/** Stopped from the end: first the slots in flight are settled and their offsets committed, then connections close. */
function listParts(
  { config, tracing }: WorkerOptions,
  clients: Clients,
  admin: Part,
  last: readonly Part[],
): Part[] {
  const { kafka, database, configs, agent, producer, journalProducer, journal } = clients;
  return [
    { name: 'tracing', stop: () => tracing.stop() },
    { name: 'postgres', stop: () => database.close() },
    admin,
    { name: 'topics', start: () => refuseUnsafeTopics(kafka, topicSpecs(config)) },
    { name: 'tenant configuration', start: () => configs.start(), stop: () => configs.stop() },
    { name: 'agent', stop: () => agent.close() },
    { name: 'producer', start: () => producer.start(), stop: () => producer.stop() },
    { name: 'journal producer', start: () => journalProducer.start(), stop: () => journalProducer.stop() },
    { name: 'journal', stop: () => journal.stop() },
    ...last,
  ];
}

async function startDeliveries(pipeline: Pipeline, consumer: Consumer): Promise<void> {
  pipeline.start();
  await consumer.start();
}

/**
 * What is queued stays uncommitted, for the next owner. What is in flight gets a second; what takes longer is handed over
 * as held, so that nobody waits for it, and settled while its new owner leaves it alone.
 */
async function stopDeliveries(pipeline: Pipeline, consumer: Consumer, log: Logger): Promise<void> {
  const drain = async (): Promise<void> => {
    const drained = await pipeline.drain(STOP_DRAIN_MS);
    if (!drained) log.warn({ unsettled: pipeline.scheduler.unsettled }, 'stopped with unsettled slots');
  };
  await consumer.stop({ drain });
  pipeline.abandon();
  pipeline.stop();
}
