import type { JournalStats } from '@posthorn/journal';
import type { ConsumerStats } from '@posthorn/kafka';
import type { Metrics } from '@posthorn/runtime';
import type { FanOutObserver } from './fan-out/consume-events.ts';
import type { InFlight } from './in-flight.ts';
import type { InboundRate } from './inbound/inbound-rate.ts';
import type { Releaser } from './release/consume-tiers.ts';
import type { ReleaseRate } from './release/release-rate.ts';
import type { ReleaseObserver } from './release/release-record.ts';
import type { ReplayResult, Replays } from './replay/consume-replays.ts';
import type { JobObserver, ReplayJobs } from './replay/run-jobs.ts';
import type { Phase, SetAsideReason } from './set-aside.ts';

const LATENCY_BUCKETS_S = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600];
const LATENESS_BUCKETS_S = [0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300];

export interface DispatcherMetrics {
  readonly fanOut: FanOutObserver;
  readonly release: ReleaseObserver;
  replayed(result: ReplayResult): void;
  inbound(): void;
  readonly jobs: JobObserver;
  setAside(phase: Phase, reason: SetAsideReason): void;
  unkept(phase: Phase): void;
  retried(phase: Phase): void;
}

export function createDispatcherMetrics(metrics: Metrics): DispatcherMetrics {
  const replays = metrics.counter('posthorn_dispatcher_replays_total', 'Replays by result.', ['result']);
  const inbound = metrics.counter(
    'posthorn_dispatcher_inbound_events_total',
    'Events that were taken from the inbound topic.',
  );
  const setAside = metrics.counter(
    'posthorn_dispatcher_set_aside_total',
    'Records that can never be handled.',
    ['phase', 'reason'],
  );
  const unkept = metrics.counter(
    'posthorn_dispatcher_set_aside_unkept_total',
    'Records set aside that have no row.',
    ['phase'],
  );
  const retries = metrics.counter('posthorn_dispatcher_produce_retries_total', 'Records sent again.', [
    'phase',
  ]);
  return {
    fanOut: observeFanOut(metrics),
    release: observeRelease(metrics),
    jobs: observeJobs(metrics),
    replayed: (result) => replays.inc({ result }),
    inbound: () => inbound.inc(),
    setAside: (phase, reason) => setAside.inc({ phase, reason }),
    unkept: (phase) => unkept.inc({ phase }),
    retried: (phase) => retries.inc({ phase }),
  };
}

function observeFanOut(metrics: Metrics): FanOutObserver {
  const events = metrics.counter('posthorn_dispatcher_events_total', 'Events by what came of them.', [
    'result',
  ]);
  const records = metrics.counter(
    'posthorn_dispatcher_deliveries_records_total',
    'Records published to lanes.',
  );
  const slots = metrics.counter(
    'posthorn_dispatcher_slots_total',
    'Deliveries published to lanes by fan-out.',
  );
  const systemSlots = metrics.counter(
    'posthorn_dispatcher_system_slots_total',
    'Deliveries published to system endpoints by fan-out.',
  );
  const seconds = metrics.histogram(
    'posthorn_dispatcher_fan_out_seconds',
    "From an event's append to the acknowledgement of all its deliveries.",
    LATENCY_BUCKETS_S,
  );
  return {
    fannedOut(recordCount, slotCount, sinceAcceptedMs) {
      events.inc({ result: slotCount === 0 ? 'unmatched' : 'fanned_out' });
      records.inc(recordCount);
      slots.inc(slotCount);
      seconds.observe(Math.max(0, sinceAcceptedMs) / 1_000);
    },
    system(recordCount, slotCount) {
      records.inc(recordCount);
      systemSlots.inc(slotCount);
    },
    putAside: () => events.inc({ result: 'put_aside' }),
  };
}

function observeRelease(metrics: Metrics): ReleaseObserver {
  const released = metrics.counter('posthorn_dispatcher_released_total', 'Records released from tiers.', [
    'to',
  ]);
  const hops = metrics.counter('posthorn_dispatcher_hops_total', 'Records moved from one tier to the next.');
  const crowded = metrics.counter(
    'posthorn_dispatcher_rate_hops_total',
    "Records that took another turn because their tenant's rate of releases was used up.",
  );
  const lateness = metrics.histogram(
    'posthorn_dispatcher_release_lateness_seconds',
    "From due to the append of the released record, by the broker's clock.",
    LATENESS_BUCKETS_S,
  );
  return {
    released(to, latenessMs) {
      released.inc({ to });
      lateness.observe(Math.max(0, latenessMs) / 1_000);
    },
    hopped: () => hops.inc(),
    crowded: () => crowded.inc(),
  };
}

function observeJobs(metrics: Metrics): JobObserver {
  const jobs = metrics.counter('posthorn_dispatcher_replay_jobs_total', 'Bulk replays by how they ended.', [
    'result',
  ]);
  const deliveries = metrics.counter(
    'posthorn_dispatcher_replay_job_deliveries_total',
    'Deliveries that bulk replays came to, by what was done.',
    ['result'],
  );
  return {
    asked(done, refused) {
      deliveries.inc({ result: 'asked' }, done);
      deliveries.inc({ result: 'refused' }, refused);
    },
    ended: (result) => jobs.inc({ result }),
  };
}

export interface Gauged {
  readonly groups: ReadonlyArray<{ readonly group: string; stats(): ConsumerStats }>;
  readonly inFlight: ReadonlyArray<{
    readonly phase: Phase;
    readonly work: InFlight;
    readonly maxRecords: number;
  }>;
  readonly releaser: Pick<Releaser, 'stats'>;
  readonly maxTierRecords: number;
  readonly rate: Pick<ReleaseRate, 'tenants'>;
  readonly maxRatedTenants: number;
  /** Null where nothing is taken from `inbound`. */
  readonly inboundRate: Pick<InboundRate, 'tenants'> | null;
  readonly unknown: Replays['unknown'];
  readonly maxUnknownRecords: number;
  readonly jobs: Pick<ReplayJobs, 'running'>;
  readonly maxJobs: number;
  readonly journal: () => JournalStats;
}

/** Gauges read what the parts say of themselves when Prometheus asks. */
export function registerGauges(metrics: Metrics, gauged: Gauged): void {
  registerGroups(metrics, gauged);
  registerInFlight(metrics, gauged);
  registerWaiting(metrics, gauged);
  metrics.gaugeOf(
    'posthorn_dispatcher_rated_tenants',
    'Tenants whose rate of releases is remembered.',
    () => gauged.rate.tenants,
  );
  metrics.gaugeOf(
    'posthorn_dispatcher_inbound_rated_tenants',
    'Tenants whose rate of events from the inbound topic is remembered.',
    () => gauged.inboundRate?.tenants ?? 0,
  );
  metrics.gaugeOf(
    'posthorn_dispatcher_max_rated_tenants',
    'Most tenants whose rate is remembered.',
    () => gauged.maxRatedTenants,
  );
  metrics.gaugeOf(
    'posthorn_dispatcher_running_jobs',
    'Bulk replays that run here.',
    () => gauged.jobs.running,
  );
  metrics.gaugeOf('posthorn_dispatcher_max_jobs', 'Most bulk replays that run here.', () => gauged.maxJobs);
  metrics.gaugeOf(
    'posthorn_dispatcher_journal_buffered_bytes',
    'Journal entries not acknowledged yet.',
    () => gauged.journal().bufferedBytes,
  );
}

function registerGroups(metrics: Metrics, { groups }: Gauged): void {
  metrics.gauge('posthorn_dispatcher_lag_records', 'Records not read yet, by group.', ['group'], (gauge) => {
    for (const { group, stats } of groups) {
      gauge.set(
        { group },
        stats().partitions.reduce((sum, { lag }) => sum + (lag ?? 0), 0),
      );
    }
  });
  metrics.gauge(
    'posthorn_dispatcher_paused_partitions',
    'Partitions that are paused, by group.',
    ['group'],
    (gauge) => {
      for (const { group, stats } of groups) {
        gauge.set({ group }, stats().partitions.filter(({ paused }) => paused).length);
      }
    },
  );
}

function registerInFlight(metrics: Metrics, { inFlight }: Gauged): void {
  metrics.gauge('posthorn_dispatcher_in_flight_records', 'Records under way.', ['phase'], (gauge) => {
    for (const { phase, work } of inFlight) gauge.set({ phase }, work.records);
  });
  metrics.gauge('posthorn_dispatcher_in_flight_bytes', 'Payload bytes under way.', ['phase'], (gauge) => {
    for (const { phase, work } of inFlight) gauge.set({ phase }, work.bytes);
  });
  metrics.gauge(
    'posthorn_dispatcher_max_in_flight_records',
    'Most records under way.',
    ['phase'],
    (gauge) => {
      for (const { phase, maxRecords } of inFlight) gauge.set({ phase }, maxRecords);
    },
  );
}

function registerWaiting(metrics: Metrics, gauged: Gauged): void {
  metrics.gauge(
    'posthorn_dispatcher_waiting_records',
    'Records that wait for their time in memory.',
    ['tier'],
    (gauge) => {
      for (const { tier, records } of gauged.releaser.stats()) gauge.set({ tier }, records);
    },
  );
  metrics.gauge('posthorn_dispatcher_waiting_bytes', 'Their payload bytes.', ['tier'], (gauge) => {
    for (const { tier, bytes } of gauged.releaser.stats()) gauge.set({ tier }, bytes);
  });
  metrics.gaugeOf(
    'posthorn_dispatcher_max_waiting_records',
    'Most records that wait, per tier.',
    () => gauged.maxTierRecords,
  );
  metrics.gaugeOf(
    'posthorn_dispatcher_unknown_replays_records',
    'Replays that wait for their delivery to be recorded.',
    () => gauged.unknown.records,
  );
  metrics.gaugeOf(
    'posthorn_dispatcher_max_unknown_replays_records',
    'Most replays that wait for that.',
    () => gauged.maxUnknownRecords,
  );
}
