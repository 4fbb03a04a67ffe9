import { randomUUID } from 'node:crypto';
import { MAC_KEY_USE, type TopicNames, topicNames } from '@posthorn/contracts';
import { within as answerWithin, type Database, setAside as keepRow } from '@posthorn/db';
import type { JournalWriter } from '@posthorn/journal';
import {
  type Consumer,
  createConsumer,
  type KafkaClient,
  type PartitionHandler,
  type Producer,
} from '@posthorn/kafka';
import { type Clock, type Logger, type Tracing, within } from '@posthorn/runtime';
import { type DerivedKeys, deriveKeys } from '@posthorn/secrets';
import type { TenantConfigs } from '@posthorn/tenant-config';
import type { DispatcherConfig } from './config.ts';
import { type ConsumerHandle, createConsumerHandle } from './consumer-handle.ts';
import { createFanOut } from './fan-out/consume-events.ts';
import { createFindConfig } from './fan-out/find-config.ts';
import { createInFlight, type InFlight } from './in-flight.ts';
import type { DispatcherMetrics } from './metrics.ts';
import { createRareWarning } from './rare-warning.ts';
import type { BrokerClock } from './release/broker-clock.ts';
import { createReleaser, type Releaser } from './release/consume-tiers.ts';
import { createReleaseRate, type ReleaseRate } from './release/release-rate.ts';
import { createReplays, type Replays } from './replay/consume-replays.ts';
import { createJobStore } from './replay/job-store.ts';
import { createReplayStore } from './replay/replay-store.ts';
import { createReplayJobs, type ReplayJobs } from './replay/run-jobs.ts';
import { createSend, type Send } from './send.ts';
import { createSetAside, type Phase, type SetAside } from './set-aside.ts';

/** What all phases work with. */
export interface PhaseContext {
  readonly config: DispatcherConfig;
  readonly kafka: KafkaClient;
  readonly producer: Producer;
  readonly journal: JournalWriter;
  readonly configs: TenantConfigs;
  readonly database: Database;
  readonly brokerClock: BrokerClock;
  readonly clock: Clock;
  readonly tracing: Tracing;
  readonly log: Logger;
  readonly metrics: DispatcherMetrics;
  onFatal(error: Error): void;
}

/** One consumer group with its handlers. They are apart so that scaling one never stops the others. */
export interface WiredPhase {
  readonly group: string;
  readonly consumer: Consumer;
  stop(): Promise<void>;
}

export interface PhaseParts {
  readonly handle: ConsumerHandle;
  readonly send: Send;
  readonly setAside: SetAside;
}

const MAX_REPLAY_BYTES = 32 * 1024 * 1024;
const MAX_UNKNOWN_BYTES = 16 * 1024 * 1024;
const SET_ASIDE_QUERY_MS = 5_000;
const UNTIL_ANSWERED_MS = Number.POSITIVE_INFINITY;
/** Longest wait for work under way before a rebalance, which stalls the whole group, and at a stop. */
const DRAIN_TIMEOUT_MS = 1_000;
const STOP_DRAIN_TIMEOUT_MS = 5_000;

/** The keys of the macs on dead letters and replays: made with the first, taken with any. */
export const macKeysOf = ({ keyRing }: DispatcherConfig): DerivedKeys => deriveKeys(keyRing, MAC_KEY_USE);

export const namesOf = (config: DispatcherConfig): TopicNames => topicNames(config.topicPrefix);

export function wireFanOut(context: PhaseContext): WiredPhase & { readonly inFlight: InFlight } {
  const { config, configs, metrics } = context;
  const names = namesOf(config);
  const parts = partsOf(context, 'fan_out');
  const inFlight = createInFlight({
    maxRecords: config.maxFanOutRecords,
    maxBytes: config.maxFanOutBytes,
    resume: parts.handle.resume,
  });
  const handler = createFanOut({
    ...context,
    ...parts,
    inFlight,
    findConfig: createFindConfig({
      configs,
      monotonicMs: () => context.clock.monotonicMs(),
      maxWaitMs: config.maxConfigWaitMs,
    }),
    deliveriesTopic: names.deliveries,
    tierTopic: names.tier,
    tiers: config.tiers,
    lanes: config.lanes,
    warnPutAside: createRareWarning(context.log, 'event put aside until its tenant is known'),
    observe: metrics.fanOut,
  });
  const phase = consume(context, parts.handle, {
    name: 'fan-out',
    topics: [names.events],
    assigned: () => handler,
    idle: () => inFlight.idle(),
  });
  return { ...phase, inFlight };
}

export function wireRelease(
  context: PhaseContext,
): WiredPhase & { readonly releaser: Releaser; readonly rate: ReleaseRate } {
  const { config, clock, configs, metrics } = context;
  const names = namesOf(config);
  const parts = partsOf(context, 'release');
  const rate = createReleaseRate({ perSec: config.releasePerSec, maxTenants: config.maxRatedTenants });
  const releaser = createReleaser({
    ...context,
    ...parts,
    names,
    tiers: config.tiers,
    lanes: config.lanes,
    eventPartitions: config.eventPartitions,
    lanesOf: (tenantId) => configs.peek(tenantId)?.lanes,
    rate,
    maxWaitingRecords: config.maxTierRecords,
    maxWaitingBytes: config.maxTierBytes,
    monotonicMs: () => clock.monotonicMs(),
    mayBegin: parts.handle.mayBegin,
    resume: parts.handle.resume,
    observe: metrics.release,
  });
  const phase = consume(context, parts.handle, {
    name: 'release',
    topics: config.tiers.map((tier) => names.tier(tier)),
    assigned: (topic, partition) => releaser.assigned(topic, partition),
    idle: () => releaser.idle(),
  });
  return { ...phase, releaser, rate };
}

export function wireReplay(
  context: PhaseContext,
): WiredPhase & { readonly inFlight: InFlight; readonly unknown: Replays['unknown'] } {
  const { config, database, metrics } = context;
  const names = namesOf(config);
  const parts = partsOf(context, 'replay');
  const inFlight = createInFlight({
    maxRecords: config.maxReplayRecords,
    maxBytes: MAX_REPLAY_BYTES,
    resume: parts.handle.resume,
  });
  const handler = createReplays({
    ...context,
    ...parts,
    inFlight,
    store: createReplayStore(database.sql),
    macKeys: macKeysOf(config),
    maxUnknownRecords: config.maxUnknownRecords,
    maxUnknownBytes: MAX_UNKNOWN_BYTES,
    maxUnknownWaitMs: config.maxUnknownWaitMs,
    deliveriesTopic: names.deliveries,
    deadLettersTopic: names.deadLetters,
    observe: (result) => metrics.replayed(result),
  });
  const phase = consume(context, parts.handle, {
    name: 'replay',
    topics: [names.replay, names.deadLetters],
    assigned: () => handler,
    idle: () => inFlight.idle(),
  });
  return { ...phase, inFlight, unknown: handler.unknown };
}

export function wireJobs(context: PhaseContext): ReplayJobs {
  const { config, database, metrics } = context;
  return createReplayJobs({
    ...context,
    store: createJobStore(database.sql, { owner: randomUUID(), leaseMs: config.jobLeaseMs }),
    macKey: macKeysOf(config)[0],
    topic: namesOf(config).replay,
    partitions: config.journalPartitions,
    maxJobs: config.maxJobs,
    pollMs: config.jobPollMs,
    observe: metrics.jobs,
  });
}

export function partsOf(context: PhaseContext, phase: Phase): PhaseParts {
  const { producer, log, metrics } = context;
  const handle = createConsumerHandle();
  return {
    handle,
    send: createSend({ producer, mayAct: handle.mayAct, log, onRetry: () => metrics.retried(phase) }),
    setAside: wireSetAside(context, phase),
  };
}

/**
 * A replay that nobody sees is worse than one that waits, and what waits holds only replays: its row is tried for until
 * Postgres answers or the record is another's. What bounds replays bounds their rows, so each of them has one.
 */
function wireSetAside({ config, database, clock, log, metrics }: PhaseContext, phase: Phase): SetAside {
  const waits = phase === 'replay';
  return createSetAside({
    phase,
    log,
    count: metrics.setAside,
    unkept: metrics.unkept,
    keep: (row) => answerWithin(SET_ASIDE_QUERY_MS, keepRow(database.sql, row)),
    maxTryMs: waits ? UNTIL_ANSWERED_MS : config.maxSetAsideTryMs,
    maxRows: waits ? maxReplayRows(config) : config.maxSetAsideRows,
    monotonicMs: () => clock.monotonicMs(),
  });
}

/**
 * Those being decided, each with the one that had to go for its room, which may have been asked for already; and those
 * that wait for the recorder.
 */
const maxReplayRows = ({ maxReplayRecords, maxUnknownRecords }: DispatcherConfig): number =>
  2 * maxReplayRecords + maxUnknownRecords;

export interface Consumption {
  readonly name: string;
  readonly topics: string[];
  assigned(topic: string, partition: number): PartitionHandler;
  idle(): Promise<void>;
}

export function consume(context: PhaseContext, handle: ConsumerHandle, options: Consumption): WiredPhase {
  const { name, topics, assigned, idle } = options;
  const group = `${context.config.topicPrefix}${name}`;
  const consumer = handle.attach(
    createConsumer(context.kafka, {
      groupId: group,
      topics,
      assigned,
      drainTimeoutMs: DRAIN_TIMEOUT_MS,
      beforeRejoin: idle,
      onFatal: context.onFatal,
    }),
  );
  const drain = (): Promise<void> => within(STOP_DRAIN_TIMEOUT_MS, idle(), () => undefined);
  return { group, consumer, stop: () => consumer.stop({ drain }) };
}
