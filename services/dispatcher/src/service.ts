import { topicSpecs } from '@posthorn/contracts';
import { openDatabase } from '@posthorn/db';
import { createJournalWriter } from '@posthorn/journal';
import { connectKafka, createProducer, refuseUnsafeTopics } from '@posthorn/kafka';
import {
  type Clock,
  createAdminPart,
  createLifecycle,
  type Lifecycle,
  type Logger,
  type Metrics,
  type Part,
  type Tracing,
} from '@posthorn/runtime';
import { createTenantConfigs, type SecretsKey } from '@posthorn/tenant-config';
import type { DispatcherConfig } from './config.ts';
import { createDispatcherMetrics, registerGauges } from './metrics.ts';
import { namesOf, type PhaseContext, wireFanOut, wireRelease, wireReplay } from './phases.ts';
import { createBeacon } from './release/beacon.ts';
import { createBrokerClock } from './release/broker-clock.ts';

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
/** Looks at endpoints' filters alone: it is given no key that would open their secrets. */
const NO_SECRETS: SecretsKey = { keyId: 'none', bytes: Buffer.alloc(32) };

/** Three consumer groups in one process: fan-out, release of retries, replay. */
export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { config, log, clock } = options;
  const names = namesOf(config);
  const kafka = connectKafka({ brokers: [...config.kafkaBrokers], clientId: 'posthorn-dispatcher' }, log);
  const database = openDatabase({
    url: config.databaseUrl,
    pool: config.databasePool,
    applicationName: 'posthorn-dispatcher',
  });
  const configs = createTenantConfigs({ database, secretsKey: NO_SECRETS, log, clock });
  const producer = createProducer(kafka, { deliveryTimeoutMs: DELIVERY_TIMEOUT_MS });
  const journal = createJournalWriter({
    producer,
    topic: names.journal,
    partitions: config.journalPartitions,
  });
  const monotonicMs = (): number => clock.monotonicMs();
  const brokerClock = createBrokerClock(monotonicMs);
  const topic = names.tier(config.tiers[0]!);
  const beacon = createBeacon({ producer, topic, brokerClock, monotonicMs, log });

  const metrics = createDispatcherMetrics(options.metrics);
  const context: PhaseContext = {
    ...options,
    kafka,
    database,
    configs,
    producer,
    journal,
    brokerClock,
    metrics,
  };
  const fanOut = wireFanOut(context);
  const release = wireRelease(context);
  const replay = wireReplay(context);
  const phases = [fanOut, release, replay];
  registerGauges(options.metrics, {
    groups: phases.map(({ group, consumer }) => ({ group, stats: () => consumer.stats() })),
    inFlight: [
      { phase: 'fan_out', work: fanOut.inFlight, maxRecords: config.maxFanOutRecords },
      { phase: 'replay', work: replay.inFlight, maxRecords: config.maxReplayRecords },
    ],
    releaser: release.releaser,
    maxTierRecords: config.maxTierRecords,
    journal: () => journal.stats(),
  });

  const admin = createAdminPart({
    host: config.adminHost,
    port: config.adminPort,
    metrics: options.metrics,
    checks: [
      { name: 'kafka', required: true, isUp: () => phases.every(({ consumer }) => consumer.mayAct()) },
      { name: 'postgres', required: false, isUp: () => database.ping() },
    ],
    isReady: () => lifecycle.mode === 'running',
  });
  // Stopped from the end: first nothing new is taken, then what is under way is flushed, then connections close.
  const parts: Part[] = [
    { name: 'tracing', stop: () => options.tracing.stop() },
    { name: 'postgres', stop: () => database.close() },
    admin,
    { name: 'topics', start: () => refuseUnsafeTopics(kafka, topicSpecs(config)) },
    { name: 'tenant configuration', start: () => configs.start(), stop: () => configs.stop() },
    { name: 'producer', start: () => producer.start(), stop: () => producer.stop() },
    { name: 'journal', stop: () => journal.stop() },
    { name: 'beacon', start: () => beacon.start(), stop: () => beacon.stop() },
    {
      name: 'consumers',
      start: () => settled(phases.map(({ consumer }) => consumer.start())),
      stop: () => settled(phases.map((phase) => phase.stop())),
    },
  ];
  const lifecycle = createLifecycle(parts, log);
  return {
    lifecycle,
    get adminPort() {
      return admin.port;
    },
  };
}

async function settled(work: ReadonlyArray<Promise<void>>): Promise<void> {
  const results = await Promise.allSettled(work);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
