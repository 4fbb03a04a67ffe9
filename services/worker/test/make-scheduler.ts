import type { Work } from '../src/schedule/lane.ts';
import { createScheduler, type Scheduler, type SchedulerOptions } from '../src/schedule/scheduler.ts';

/** Bounds that nothing comes near. */
const WIDE: SchedulerOptions = {
  maxInFlight: 1_000,
  maxUnsettled: 1_000,
  fastSharePercent: 0,
  maxHostInFlight: 1_000,
  maxEndpointInFlight: 1_000,
  slowEndpointSharePercent: 100,
  attemptTimeoutMs: 1_000,
  laneBounds: { maxSlots: 10_000, maxBytes: 10_000_000, tenantSharePercent: 100 },
  capOf: () => 1_000,
  wholeCapOf: () => 1_000,
  limitsOf: () => null,
  onRoom: () => {},
  onTenantRoom: () => {},
};

/** A scheduler that lets everything start but for what the test says. */
export function makeScheduler<W extends Work>(over: Partial<SchedulerOptions> = {}): Scheduler<W> {
  return createScheduler({ ...WIDE, ...over });
}
