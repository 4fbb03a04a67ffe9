import { acceptedAtMs, type DeadLetterReason, type Outcome } from '@posthorn/contracts';
import type { ProduceReport } from '@posthorn/kafka';
import type { Clock, Metrics } from '@posthorn/runtime';
import type { TokenReply } from './attempt/read-token.ts';
import type { MoveReason } from './intake/move-records.ts';
import type { CircuitMode } from './schedule/breaker.ts';
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
  /** A token endpoint was asked for a token. */
  tokenAsked(outcome: TokenReply['kind']): void;
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
  const tokenRequests = metrics.counter(
    'posthorn_worker_token_requests_total',
    'Requests to token endpoints, by what came of them.',
    ['outcome'],
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
    tokenAsked: (outcome) => tokenRequests.inc({ outcome }),
  };
}
