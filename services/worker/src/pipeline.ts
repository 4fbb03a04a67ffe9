import { setTimeout as delay } from 'node:timers/promises';
import { type JournalEntry, MAC_KEY_USE, topicNames, USER_AGENT } from '@posthorn/contracts';
import type { GuardedAgent } from '@posthorn/egress';
import { type ConsumerStats, type OutboundRecord, type ProduceAck, ProduceError } from '@posthorn/kafka';
import type { Clock, Logger, Tracing } from '@posthorn/runtime';
import { deriveKeys } from '@posthorn/secrets';
import type { TenantConfigs } from '@posthorn/tenant-config';
import { type AttemptSteps, attempt } from './attempt/attempt.ts';
import { createAuthorisedSend } from './attempt/authorise.ts';
import { createRequestBuilder } from './attempt/build-request.ts';
import { createGoneEndpoints, type GoneEndpoints } from './attempt/gone-endpoints.ts';
import { createEndpointLoader } from './attempt/load-endpoint.ts';
import { createSendRequest, type SendRequest } from './attempt/send.ts';
import { createTokens, type Tokens } from './attempt/tokens.ts';
import type { WorkerConfig } from './config.ts';
import { consumeLanes, type LaneConsumer } from './intake/consume-lanes.ts';
import type { DeliveryWork } from './intake/delivery-work.ts';
import type { LaneReader } from './intake/intake-parts.ts';
import { createMover, type Mover } from './intake/move-records.ts';
import { createRepeats, type Repeats } from './intake/repeats.ts';
import { createTakeIn } from './intake/take-in.ts';
import type { WorkerMetrics } from './metrics.ts';
import { type CircuitReport, createCircuitReport } from './report/report-circuits.ts';
import { type Breaker, createBreaker } from './schedule/breaker.ts';
import { createScheduler, type Scheduler } from './schedule/scheduler.ts';
import { type AttemptStarter, createAttemptStarter } from './schedule/start-attempts.ts';
import { type AcknowledgeOptions, type Acknowledger, createAcknowledger } from './settle/acknowledge.ts';
import type { RecordLayout } from './settle/build-records.ts';
import { createSettle } from './settle/settle.ts';
import type { WaitPolicy } from './settle/wait-policy.ts';

export interface PipelineOptions {
  readonly config: WorkerConfig;
  /** Of this process: no other worker has it, before or after. */
  readonly workerId: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: WorkerMetrics;
  readonly tracing: Tracing;
  readonly configs: Pick<TenantConfigs, 'peek' | 'get'>;
  readonly agent: Pick<GuardedAgent, 'send'>;
  produce(record: OutboundRecord): Promise<ProduceAck>;
  /** For what is left of a lane that was handed over: outside the fence. */
  produceHeld(record: OutboundRecord): Promise<unknown>;
  journal(entry: JournalEntry): Promise<void>;
  /** Inside the fence, and outside a rebalance: while false no attempt starts. */
  mayBegin(): boolean;
  /** Inside the fence: while false nothing goes out, what settles a request included. */
  mayAct(): boolean;
  readonly reader: LaneReader & { stats(): ConsumerStats };
}

/** The way of a slot: intake, schedule, attempt, settle. */
export interface Pipeline {
  readonly intake: LaneConsumer;
  readonly repeats: Repeats;
  readonly mover: Mover;
  readonly scheduler: Scheduler<DeliveryWork>;
  readonly starter: AttemptStarter;
  readonly acknowledger: Acknowledger;
  readonly breaker: Breaker;
  readonly circuits: CircuitReport;
  readonly gone: GoneEndpoints;
  readonly tokens: Tokens;
  start(): void;
  stop(): void;
  /** Waits for attempts and moves under way; false when some of them are still not settled. */
  whenIdle(timeoutMs: number): Promise<boolean>;
  /** Starts nothing more, for good, and waits for what is in flight; false when some of it is still not settled. */
  drain(timeoutMs: number): Promise<boolean>;
  /** Gives up every write that is not acknowledged yet. */
  abandon(): void;
}

const MAX_RESPONSE_BYTES = 16 * 1_024;
const LEAST_LANE_BYTES = 1024 * 1024;
const TICK_MS = 100;

export function createPipeline(options: PipelineOptions): Pipeline {
  const { config, clock, mayBegin } = options;
  const stopped = new AbortController();
  const circuits = createCircuitReport(options);
  const breaker = openBreaker(options, circuits);
  const gone = createGoneEndpoints();
  const loader = createEndpointLoader({ ...options, breaker, gone });
  const scheduler = createScheduler<DeliveryWork>({
    ...schedulerBounds(config),
    capOf: (tenantId, lane) => (intake.mayStartIn(lane) ? loader.capOf(tenantId, lane) : 0),
    wholeCapOf: loader.wholeCapOf,
    limitsOf: loader.limitsOf,
    onRoom: (lane) => intake.onRoom(lane),
    onTenantRoom: (lane, tenantId) => intake.onTenantRoom(lane, tenantId),
  });
  const acknowledger = openAcknowledger(options, stopped.signal, {
    onStalled: () => scheduler.pause('produce'),
    onFlowing() {
      scheduler.resume('produce');
      starter.wake();
    },
  });
  const send = createSendRequest(options.agent, options.log);
  const tokens = openTokens(options, send);
  const repeats = createRepeats({ clock, maxRepeats: config.maxRepeats, keptMs: config.repeatsKeptMs });
  const steps: AttemptSteps = {
    ...options,
    ...createSteps(options, { acknowledger, repeats, send, tokens }),
    load: loader.load,
    breaker,
    gone,
    requestEnded(slot) {
      scheduler.release(slot, clock.monotonicMs() - slot.startedMs);
      starter.wake();
    },
    mayStart: ({ work }) => work.record.live && !scheduler.paused && mayBegin(),
  };
  const starter = createAttemptStarter<DeliveryWork>({
    scheduler,
    clock,
    mayBegin,
    attempt: (slot) => attempt(steps, slot),
  });
  const mover = createMover({
    maxMoves: config.maxOverflowMoves,
    acknowledger,
    repeats,
    produce: (record) => produceInsideFence(options, record),
    onRoom: () => intake.onMoveRoom(),
  });
  const intake = openIntake(options, { scheduler, repeats, mover, starter });
  const parts = { intake, repeats, mover, scheduler, starter, acknowledger, breaker, circuits, gone, tokens };
  return { ...parts, ...controls(options, parts, stopped) };
}

function controls(
  { reader }: PipelineOptions,
  { intake, mover, scheduler, starter }: Pick<Pipeline, 'intake' | 'mover' | 'scheduler' | 'starter'>,
  stopped: AbortController,
): Pick<Pipeline, 'start' | 'stop' | 'whenIdle' | 'drain' | 'abandon'> {
  let ticks: NodeJS.Timeout | undefined;
  const whenIdle = async (timeoutMs: number) =>
    (await Promise.all([starter.whenIdle(timeoutMs), mover.whenIdle(timeoutMs)])).every(Boolean);
  return {
    start() {
      starter.start();
      ticks ??= setInterval(() => intake.tick(reader.stats()), TICK_MS);
    },
    stop() {
      starter.stop();
      clearInterval(ticks);
    },
    whenIdle,
    drain(timeoutMs) {
      scheduler.pause('stop');
      return whenIdle(timeoutMs);
    },
    abandon: () => stopped.abort(),
  };
}

function schedulerBounds(config: WorkerConfig) {
  return {
    maxInFlight: config.maxConcurrentAttempts,
    maxUnsettled: config.maxUnsettledSlots,
    fastSharePercent: config.fastSharePercent,
    maxHostInFlight: config.maxHostConcurrency,
    maxEndpointInFlight: config.maxEndpointConcurrency,
    slowEndpointSharePercent: config.slowEndpointSharePercent,
    attemptTimeoutMs: config.attemptTimeoutMs,
    laneBounds: {
      maxSlots: config.maxLaneSlots,
      maxBytes: Math.max(LEAST_LANE_BYTES, Math.floor(config.maxBufferedBytes / config.lanes)),
      tenantSharePercent: config.tenantBufferSharePercent,
    },
  };
}

function openAcknowledger(
  { log, metrics }: PipelineOptions,
  stopped: AbortSignal,
  flow: Pick<AcknowledgeOptions, 'onStalled' | 'onFlowing'>,
): Acknowledger {
  return createAcknowledger({
    ...flow,
    log,
    stopped,
    onRetry: metrics.writeRetried,
    wait: (ms) => delay(ms, undefined, { signal: stopped }).catch(() => undefined),
  });
}

function openIntake(
  options: PipelineOptions,
  parts: Pick<Pipeline, 'scheduler' | 'repeats' | 'mover' | 'starter'>,
): LaneConsumer {
  const { config, metrics } = options;
  const takeIn = createTakeIn({
    ...options,
    ...parts,
    onQueued: parts.starter.wake,
    onSetAside: metrics.setAside,
    onRepeats: metrics.repeated,
  });
  let assignments = 0;
  return consumeLanes({
    ...options,
    ...parts,
    takeIn,
    nameAssignment: () => `${options.workerId}.${assignments++}`,
    topics: topicNames(config.topicPrefix),
    maxRuns: config.maxOverflowSpans,
  });
}

interface StepParts extends Pick<Pipeline, 'acknowledger' | 'repeats' | 'tokens'> {
  readonly send: SendRequest;
}

function createSteps(
  options: PipelineOptions,
  { acknowledger, repeats, send, tokens }: StepParts,
): Pick<AttemptSteps, 'build' | 'send' | 'settle'> {
  const { config } = options;
  const { build } = createRequestBuilder({
    userAgent: USER_AGENT,
    headerPrefix: config.signatureHeaderPrefix,
    attemptTimeoutMs: config.attemptTimeoutMs,
    maxResponseBytes: MAX_RESPONSE_BYTES,
    sendTraceparent: config.sendTraceparent,
  });
  const settle = createSettle({
    ...options,
    produce: (record) => produceInsideFence(options, record),
    acknowledger,
    layout: recordLayout(config),
    policy: waitPolicy(config),
    repeats,
  });
  return { build, send: createAuthorisedSend(send, tokens, options.clock), settle };
}

/**
 * A producer keeps what it is given until the fence opens, which may be for another assignment: by then the slot is its
 * next owner's to settle. So outside the fence a record is refused, and asked for again while the slot is ours.
 */
async function produceInsideFence(options: PipelineOptions, record: OutboundRecord): Promise<ProduceAck> {
  if (!options.mayAct()) throw new ProduceError('not_accepted', 'the fence is closed');
  return options.produce(record);
}

/** A token endpoint is a receiver that nobody trusts either: its requests go the same way. */
function openTokens({ config, clock, log, metrics }: PipelineOptions, ask: SendRequest): Tokens {
  const { maxCachedTokens: maxTokens } = config;
  return createTokens({ ask, clock, log, maxTokens, onAsked: metrics.tokenAsked });
}

function openBreaker({ config, log, metrics }: PipelineOptions, circuits: CircuitReport): Breaker {
  return createBreaker({
    failurePercent: config.breakerFailurePercent,
    minAttempts: config.breakerMinAttempts,
    windowMs: config.breakerWindowMs,
    firstProbeMs: config.breakerFirstProbeMs,
    maxProbeMs: config.breakerMaxProbeMs,
    maxEndpoints: config.breakerMaxEndpoints,
    onTurn(turn) {
      const { endpointId, from, to } = turn;
      metrics.circuitTurned(to);
      circuits.turned(turn);
      if (from === 'closed') log.warn({ webhook_id: endpointId }, 'circuit opened');
      if (to === 'closed') log.info({ webhook_id: endpointId }, 'circuit closed');
    },
  });
}

function waitPolicy(config: WorkerConfig): WaitPolicy {
  return { ...config, scheduleMs: config.retrySchedule, jitterPercent: config.retryJitterPercent };
}

function recordLayout(config: WorkerConfig): RecordLayout {
  return {
    topics: topicNames(config.topicPrefix),
    tiers: config.tiers,
    lanes: config.lanes,
    deadLetterPartitions: config.journalPartitions,
    macKey: deriveKeys(config.keyRing, MAC_KEY_USE)[0],
  };
}
