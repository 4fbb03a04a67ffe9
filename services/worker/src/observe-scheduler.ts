import type { Metrics } from '@posthorn/runtime';
import type { WorkerConfig } from './config.ts';
import { MAX_IDLE_ENDPOINTS } from './schedule/queues.ts';
import type { SchedulerStats } from './schedule/scheduler.ts';

export interface ObservedScheduler {
  readonly scheduler: { stats(): SchedulerStats };
  readonly config: Pick<
    WorkerConfig,
    'maxConcurrentAttempts' | 'maxHostConcurrency' | 'maxUnsettledSlots' | 'maxLaneSlots' | 'maxBufferedBytes'
  >;
}

export function observeScheduler(metrics: Metrics, { scheduler, config }: ObservedScheduler): void {
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
  metrics.gaugeOf(
    'posthorn_worker_max_held_bytes',
    'Bound of payloads held: as much for the lanes as for their overflow.',
    () => 2 * config.maxBufferedBytes,
  );
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

export function observeTurns(metrics: Metrics, { scheduler, config }: ObservedScheduler): void {
  metrics.gauge(
    'posthorn_worker_waiting_slots',
    'Queued slots that wait for more than their turn, by what for.',
    ['for'],
    (gauge) => {
      const { tenantCap, endpointCap, host, rate } = scheduler.stats().waiting;
      gauge.set({ for: 'tenant_cap' }, tenantCap);
      gauge.set({ for: 'endpoint_cap' }, endpointCap);
      gauge.set({ for: 'host' }, host);
      gauge.set({ for: 'rate' }, rate);
    },
  );
  metrics.gaugeOf(
    'posthorn_worker_slow_in_flight_slots',
    'Slots in flight of tenants that are slow, or not known yet.',
    () => scheduler.stats().slowInFlight,
  );
  metrics.gaugeOf(
    'posthorn_worker_max_slow_in_flight_slots',
    'Bound of these: the rest is kept for fast tenants.',
    () => scheduler.stats().maxSlowInFlight,
  );
  metrics.gaugeOf(
    'posthorn_worker_idle_endpoints',
    'Endpoints with nothing under way whose pace and rate are remembered.',
    () => scheduler.stats().idleEndpoints,
  );
  metrics.gaugeOf('posthorn_worker_max_idle_endpoints', 'Bound of these.', () => MAX_IDLE_ENDPOINTS);
  metrics.gaugeOf(
    'posthorn_worker_max_host_in_flight_slots',
    'Bound of slots in flight at one destination host.',
    () => config.maxHostConcurrency,
  );
}
