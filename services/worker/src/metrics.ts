import { acceptedAtMs, type DeadLetterReason, type Outcome } from '@posthorn/contracts';
import type { AgentStats } from '@posthorn/egress';
import type { JournalStats } from '@posthorn/journal';
import type { ConsumerStats, ProduceReport } from '@posthorn/kafka';
import type { Clock, Metrics } from '@posthorn/runtime';
import type { TenantConfigsStats } from '@posthorn/tenant-config';
import type { WorkerConfig } from './config.ts';
import type { MoveReason } from './intake/lane-intake.ts';
import type { Breaker, CircuitMode } from './schedule/breaker.ts';
import type { SchedulerStats } from './schedule/scheduler.ts';
import type { AsideReason, CancelReason } from './settle/made.ts';

export interface WorkerMetrics {
  attempted(outcome: Outcome, durationMs: number): void;
  /** The first attempt of a delivery has ended. */
  firstTried(eventId: string): void;
  retried(tier: string): void;
  deadLettered(reason: DeadLetterReason): void;
  cancelled(reason: CancelReason): void;
  putAside(reason: AsideReason | 'circuit'): void;
  /** A slot of a lane that was handed over was settled, and its new owner told. */
  announced(end: 'in_time' | 'too_late'): void;
  circuitTurned(to: CircuitMode): void;
  /** From the end of an attempt until all that it led to is acknowledged: so long it stays unsettled beyond the request. */
  settled(durationMs: number): void;
  setAside(): void;
  /** Second copies of attempts were completed without a request. */
  repeated(slots: number): void;
  /** A record was moved untouched, by why. */
  moved(why: MoveReason): void;
  /** A record of the overflow was left where it is, as its tenant has no room. */
  passedOver(): void;
  writeRetried(): void;
  produced(report: ProduceReport): void;
}

const DURATION_SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60];
const LATENCY_SECONDS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60, 300, 1_800];

export function createWorkerMetrics(metrics: Metrics, clock: Clock): WorkerMetrics {
  const attempts = metrics.counter(
    'posthorn_worker_attempts_total',
    'Requests made, by outcome: success or the class of the failure.',
    ['outcome'],
  );
  const duration = metrics.histogram(
    'posthorn_worker_attempt_duration_seconds',
    'Time of an attempt, from its start to the last byte read.',
    DURATION_SECONDS,
  );
  const settling = metrics.histogram(
    'posthorn_worker_settle_duration_seconds',
    'Time from the end of an attempt until its retry, dead letter and journal entry are acknowledged.',
    DURATION_SECONDS,
  );
  const latency = metrics.histogram(
    'posthorn_worker_first_attempt_latency_seconds',
    "Time from an event's acceptance to the end of a delivery's first attempt.",
    LATENCY_SECONDS,
  );
  const retries = metrics.counter('posthorn_worker_retries_total', 'Retries scheduled, by tier.', ['tier']);
  const deadLetters = metrics.counter(
    'posthorn_worker_dead_letters_total',
    'Deliveries given up, by reason.',
    ['reason'],
  );
  const cancellations = metrics.counter(
    'posthorn_worker_cancelled_total',
    'Deliveries that were not tried any more, by reason.',
    ['reason'],
  );
  const aside = metrics.counter(
    'posthorn_worker_put_aside_total',
    'Slots sent to a tier without an attempt, by why they could not be tried.',
    ['reason'],
  );
  const announced = metrics.counter(
    'posthorn_worker_announced_slots_total',
    'Slots of lanes handed over that were settled here, by whether their new owner was told in time.',
    ['end'],
  );
  const circuits = metrics.counter(
    'posthorn_worker_circuit_transitions_total',
    'Changes of circuits, by what they turned to.',
    ['to'],
  );
  const setAside = metrics.counter(
    'posthorn_worker_set_aside_total',
    'Deliveries records that can never be tried, as they are of no known form.',
  );
  const repeats = metrics.counter(
    'posthorn_worker_repeats_total',
    'Second copies of attempts that were completed without a request.',
  );
  const moves = metrics.counter(
    'posthorn_worker_moves_total',
    'Records moved untouched: to the overflow, to its end, or to the lane they belong to, by why.',
    ['why'],
  );
  const passedOver = metrics.counter(
    'posthorn_worker_passed_over_total',
    'Records of the overflow that were read in vain, as their tenant had no room.',
  );
  const writeRetries = metrics.counter(
    'posthorn_worker_write_retries_total',
    'Writes to Kafka that were asked again because they were not acknowledged.',
  );
  const produced = metrics.counter(
    'posthorn_worker_produce_requests_total',
    'Produce requests, by how they ended.',
    ['outcome'],
  );
  return {
    attempted(outcome, durationMs) {
      attempts.inc({ outcome: outcome.kind === 'success' ? 'success' : outcome.failure });
      duration.observe(durationMs / 1_000);
    },
    firstTried: (eventId) => latency.observe(Math.max(0, clock.nowMs() - acceptedAtMs(eventId)) / 1_000),
    retried: (tier) => retries.inc({ tier }),
    deadLettered: (reason) => deadLetters.inc({ reason }),
    cancelled: (reason) => cancellations.inc({ reason }),
    putAside: (reason) => aside.inc({ reason }),
    announced: (end) => announced.inc({ end }),
    circuitTurned: (to) => circuits.inc({ to }),
    settled: (durationMs) => settling.observe(durationMs / 1_000),
    setAside: () => setAside.inc(),
    repeated: (slots) => repeats.inc(slots),
    moved: (why) => moves.inc({ why }),
    passedOver: () => passedOver.inc(),
    writeRetried: () => writeRetries.inc(),
    produced: (report) => produced.inc({ outcome: report.outcome }),
  };
}

/** What is read at every scrape, and the bounds it is held against. */
export interface Observed {
  readonly scheduler: { stats(): SchedulerStats };
  readonly consumer: { stats(): ConsumerStats; mayAct(): boolean };
  readonly producer: { readonly bufferedBytes: number; readonly bufferedRecords: number };
  readonly journal: { stats(): JournalStats };
  readonly configs: { stats(): TenantConfigsStats };
  readonly acknowledger: { readonly stalled: number };
  readonly agent: { stats(): AgentStats };
  readonly breaker: Pick<Breaker, 'stats'>;
  readonly gone: { readonly size: number };
  readonly config: Pick<
    WorkerConfig,
    | 'maxConcurrentAttempts'
    | 'maxUnsettledSlots'
    | 'maxLaneSlots'
    | 'maxBufferedBytes'
    | 'breakerMaxEndpoints'
  >;
}

export function observeWorker(metrics: Metrics, observed: Observed): void {
  observeScheduler(metrics, observed);
  observeLanes(metrics, observed.consumer);
  observeConnections(metrics, observed);
  observeReceivers(metrics, observed);
}

function observeScheduler(metrics: Metrics, { scheduler, config }: Observed): void {
  metrics.gaugeOf(
    'posthorn_worker_in_flight_slots',
    'Slots with a request under way.',
    () => scheduler.stats().inFlight,
  );
  metrics.gaugeOf(
    'posthorn_worker_max_in_flight_slots',
    'Bound of slots in flight.',
    () => config.maxConcurrentAttempts,
  );
  metrics.gaugeOf(
    'posthorn_worker_unsettled_slots',
    'Slots started whose outcome is not acknowledged, those in flight included.',
    () => scheduler.stats().unsettled,
  );
  metrics.gaugeOf(
    'posthorn_worker_max_unsettled_slots',
    'Bound of slots not settled.',
    () => config.maxUnsettledSlots,
  );
  metrics.gaugeOf(
    'posthorn_worker_queued_slots',
    'Slots that wait for a turn.',
    () => scheduler.stats().queuedSlots,
  );
  metrics.gaugeOf(
    'posthorn_worker_max_lane_slots',
    'Bound of queued slots per lane.',
    () => config.maxLaneSlots,
  );
  metrics.gaugeOf(
    'posthorn_worker_held_bytes',
    'Payloads queued and in flight.',
    () => scheduler.stats().heldBytes,
  );
  metrics.gaugeOf('posthorn_worker_max_held_bytes', 'Bound of payloads held.', () => config.maxBufferedBytes);
  metrics.gaugeOf(
    'posthorn_worker_tenants_at_cap',
    'Tenants with work whose cap is used up.',
    () => scheduler.stats().tenantsAtCap,
  );
  metrics.gaugeOf(
    'posthorn_worker_full_lanes',
    'Lanes that are paused until half of their buffer is free.',
    () => scheduler.stats().fullLanes,
  );
}

function observeLanes(metrics: Metrics, consumer: Observed['consumer']): void {
  metrics.gaugeOf(
    'posthorn_worker_assigned_lanes',
    'Lanes assigned to this worker.',
    () => consumer.stats().partitions.length,
  );
  metrics.gaugeOf('posthorn_worker_lag_records', 'Deliveries records not yet fetched.', () =>
    sumOfLags(consumer.stats()),
  );
  metrics.gaugeOf(
    'posthorn_worker_uncommitted_records',
    'Records between the lowest unfinished one and the position.',
    () => consumer.stats().partitions.reduce((sum, each) => sum + each.uncommittedSpan, 0),
  );
  metrics.counterOf(
    'posthorn_worker_rebalances_total',
    'Rebalances of the group.',
    () => consumer.stats().rebalances,
  );
  metrics.counterOf(
    'posthorn_worker_commit_failures_total',
    'Commits that were refused or not answered.',
    () => consumer.stats().commitFailures,
  );
  metrics.gaugeOf(
    'posthorn_worker_fence_open',
    '1 while attempts may start, 0 while the group may have given the lanes away.',
    () => (consumer.mayAct() ? 1 : 0),
  );
}

function observeConnections(metrics: Metrics, observed: Observed): void {
  metrics.gaugeOf(
    'posthorn_worker_producer_buffered_bytes',
    'Records not yet acknowledged.',
    () => observed.producer.bufferedBytes,
  );
  metrics.gaugeOf(
    'posthorn_worker_journal_buffered_bytes',
    'Journal entries not yet acknowledged.',
    () => observed.journal.stats().bufferedBytes,
  );
  metrics.gaugeOf(
    'posthorn_worker_max_journal_buffered_bytes',
    'Bound of journal entries not yet acknowledged.',
    () => observed.journal.stats().maxBufferedBytes,
  );
  metrics.gaugeOf(
    'posthorn_worker_stalled_writes',
    'Writes that wait to be asked again.',
    () => observed.acknowledger.stalled,
  );
  metrics.gaugeOf(
    'posthorn_worker_cached_endpoints',
    'Endpoints whose configuration is cached.',
    () => observed.configs.stats().endpoints,
  );
  metrics.gaugeOf(
    'posthorn_worker_open_connections',
    'Connections to receivers.',
    () => observed.agent.stats().openConnections,
  );
  metrics.gaugeOf(
    'posthorn_worker_waiting_requests',
    'Requests that wait for a connection.',
    () => observed.agent.stats().waitingRequests,
  );
}

function observeReceivers(metrics: Metrics, { breaker, gone, config }: Observed): void {
  metrics.gaugeOf(
    'posthorn_worker_open_circuits',
    'Endpoints to which nothing but single probes is sent.',
    () => breaker.stats().openCircuits,
  );
  metrics.gaugeOf(
    'posthorn_worker_failing_endpoints',
    'Endpoints with a recent failure, whose attempts are counted.',
    () => breaker.stats().endpoints,
  );
  metrics.gaugeOf(
    'posthorn_worker_max_failing_endpoints',
    'Bound of endpoints whose attempts are counted.',
    () => config.breakerMaxEndpoints,
  );
  metrics.gaugeOf(
    'posthorn_worker_gone_endpoints',
    'Endpoints that answered 410 and whose configuration does not say so yet.',
    () => gone.size,
  );
}

function sumOfLags(stats: ConsumerStats): number {
  return stats.partitions.reduce((sum, each) => sum + (each.lag ?? 0), 0);
}
