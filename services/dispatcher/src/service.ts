import { topicSpecs } from '@posthorn/contracts';
import { openDatabase } from '@posthorn/db';
import { createJournalWriter } from '@posthorn/journal';
import { connectKafka, createProducer, refuseUnsafeTopics } from '@posthorn/kafka';
import {
  type Clock,
  createAdminPart,
  createLifecycle,
  databaseOptions,
  kafkaConnection,
  type Lifecycle,
  type Logger,
  type Metrics,
  type Part,
  type Tracing,
} from '@posthorn/runtime';
import { createTenantConfigs } from '@posthorn/tenant-config';
import type { DispatcherConfig } from './config.ts';
import { type WiredInbound, wireInbound } from './inbound/wire-inbound.ts';
import { createDispatcherMetrics, registerGauges } from './metrics.ts';
import {
  namesOf,
  type PhaseContext,
  type WiredPhase,
  wireFanOut,
  wireJobs,
  wireRelease,
  wireReplay,
} from './phases.ts';
import { createBeacon } from './release/beacon.ts';
import { createBrokerClock } from './release/broker-clock.ts';
import type { ReplayJobs } from './replay/run-jobs.ts';

export interface DispatcherOptions {
  readonly config: DispatcherConfig;
  readonly log: Logger;
  readonly tracing: Tracing;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** A consumer is dead and will not come back by itself: end the process. */
  onFatal(error: Error): void;
}

export interface Dispatcher {
  readonly lifecycle: Lifecycle;
  /** Where health and metrics are served; undefined before the start. */
  readonly adminPort: number | undefined;
}

/** Below the fence of seven seconds: what is not acknowledged by then may be another process' to send. */
const DELIVERY_TIMEOUT_MS = 5_000;
/**
 * Three consumer groups in one process (fan-out, release of retries, replay), a fourth where events of others are taken
 * from Kafka, and the bulk replays.
 */
export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { config, log } = options;
  const context = openContext(options);
  const jobs = wireJobs(context);
  const inbound = wireInbound(context);
  const phases = wirePhases(context, options.metrics, jobs, inbound);
  const admin = createAdminPart({
    host: config.adminHost,
    port: config.adminPort,
    log,
    metrics: options.metrics,
    checks: [
      { name: 'kafka', required: true, isUp: () => phases.every(({ consumer }) => consumer.mayAct()) },
      { name: 'postgres', required: false, isUp: () => context.database.ping() },
    ],
    isReady: () => lifecycle.mode === 'running',
  });
  const consumers: Part = {
    name: 'consumers',
    start: () => settled(phases.map(({ consumer }) => consumer.start())),
    stop: () => settled(phases.map((phase) => phase.stop())),
  };
  const jobsPart: Part = { name: 'replay jobs', start: async () => jobs.start(), stop: () => jobs.stop() };
  const lifecycle = createLifecycle(
    [...listParts(context, admin), ...(inbound?.parts ?? []), consumers, jobsPart],
    log,
  );
  return {
    lifecycle,
    get adminPort() {
      return admin.port;
    },
  };
}

function openContext(options: DispatcherOptions): PhaseContext {
  const { config, log, clock } = options;
  const kafka = connectKafka(kafkaConnection(config, 'posthorn-dispatcher'), log);
  const database = openDatabase(databaseOptions(config, 'posthorn-dispatcher'));
  const producer = createProducer(kafka, { deliveryTimeoutMs: DELIVERY_TIMEOUT_MS });
  return {
    ...options,
    kafka,
    database,
    producer,
    configs: createTenantConfigs({ database, keyRing: null, log, clock }),
    journal: createJournalWriter({
      producer,
      topic: namesOf(config).journal,
      partitions: config.journalPartitions,
    }),
    brokerClock: createBrokerClock(() => clock.monotonicMs()),
    metrics: createDispatcherMetrics(options.metrics),
  };
}

function wirePhases(
  context: PhaseContext,
  metrics: Metrics,
  jobs: ReplayJobs,
  inbound: WiredInbound | null,
): readonly WiredPhase[] {
  const { config, journal } = context;
  const fanOut = wireFanOut(context);
  const release = wireRelease(context);
  const replay = wireReplay(context);
  const phases = [fanOut, release, replay, ...(inbound ? [inbound] : [])];
  registerGauges(metrics, {
    groups: phases.map(({ group, consumer }) => ({ group, stats: () => consumer.stats() })),
    inFlight: [
      { phase: 'fan_out', work: fanOut.inFlight, maxRecords: config.maxFanOutRecords },
      { phase: 'replay', work: replay.inFlight, maxRecords: config.maxReplayRecords },
      ...(inbound
        ? [{ phase: 'inbound' as const, work: inbound.inFlight, maxRecords: config.maxInboundRecords }]
        : []),
    ],
    releaser: release.releaser,
    maxTierRecords: config.maxTierRecords,
    rate: release.rate,
    maxRatedTenants: config.maxRatedTenants,
    inboundRate: inbound?.rate ?? null,
    unknown: replay.unknown,
    maxUnknownRecords: config.maxUnknownRecords,
    jobs,
    maxJobs: config.maxJobs,
    journal: () => journal.stats(),
  });
  return phases;
}

/** Stopped from the end: first nothing new is taken, then what is under way is flushed, then connections close. */
function listParts(context: PhaseContext, admin: Part): Part[] {
  const { config, tracing, kafka, database, configs, producer, journal, brokerClock, clock, log } = context;
  const topic = namesOf(config).tier(config.tiers[0]!);
  const monotonicMs = (): number => clock.monotonicMs();
  const beacon = createBeacon({ producer, topic, brokerClock, monotonicMs, log });
  return [
    { name: 'tracing', stop: () => tracing.stop() },
    { name: 'postgres', stop: () => database.close() },
    admin,
    { name: 'topics', start: () => refuseUnsafeTopics(kafka, topicSpecs(config)) },
    { name: 'tenant configuration', start: () => configs.start(), stop: () => configs.stop() },
    { name: 'producer', start: () => producer.start(), stop: () => producer.stop() },
    { name: 'journal', stop: () => journal.stop() },
    { name: 'beacon', start: () => beacon.start(), stop: () => beacon.stop() },
  ];
}

async function settled(work: ReadonlyArray<Promise<void>>): Promise<void> {
  const results = await Promise.allSettled(work);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
