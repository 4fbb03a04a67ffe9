import type { EndpointId, TenantId } from '@posthorn/contracts';
import type { BufferOptions, BufferStats } from './buffers.ts';
import type { CapOptions } from './caps.ts';
import type { Lane, Slot, Work } from './lane.ts';
import type { PlaceStats } from './places.ts';
import { TurnScheduler } from './turn-scheduler.ts';

/** Why nothing may start: an acknowledgement is overdue, the service stops. */
export type PauseReason = 'produce' | 'stop';

export interface EndpointLimits {
  /** Slots in flight; null: the default. */
  readonly maxConcurrency: number | null;
  /** Starts a second, a second's worth at once; null: as they come. */
  readonly maxPerSec: number | null;
  /** Where its requests go. */
  readonly host: string | null;
}

export interface SchedulerOptions extends CapOptions, BufferOptions {
  /** What the first attempt of an unknown tenant is charged at its start. */
  readonly attemptTimeoutMs: number;
  /** Slots of a tenant that may be in flight in a lane. Asked at every turn: a changed quota holds at once. */
  capOf(tenantId: TenantId, lane: number): number;
  /** Asked at every turn too; null while they are not known, and nothing is sent. */
  limitsOf(tenantId: TenantId, endpointId: EndpointId): EndpointLimits | null;
}

export interface SchedulerStats extends BufferStats, PlaceStats {
  readonly inFlight: number;
  readonly unsettled: number;
  /** In flight of tenants that are slow or not known yet, and their bound. */
  readonly slowInFlight: number;
  readonly maxSlowInFlight: number;
  /** Endpoints that are remembered although nothing of theirs is under way. */
  readonly idleEndpoints: number;
}

/** Records that leave a lane untouched, with the slots that were left of them. */
export interface Moved<W extends Work> {
  readonly work: W;
  readonly indexes: readonly number[];
}

/** What a tenant has in one lane. */
export interface TenantLoad {
  readonly tenantId: TenantId;
  readonly lane: number;
  /** Requests under way, and slots at which an earlier owner may still be: what counts against its cap. */
  readonly inFlight: number;
  readonly queued: number;
  /** Slots whose request has ended and whose outcome is not acknowledged. */
  readonly settling: number;
}

/** A slot that may still be sent, or whose outcome is not acknowledged. */
export interface UnderWay<W extends Work> {
  readonly slot: Slot<W>;
  /** What is left of an earlier owner's time; null for one of ours. */
  readonly heldForMs: number | null;
}

/**
 * Which slot is tried next. Pure: no I/O, no timers, the clock is an argument (one that never steps back).
 *
 * Tenants take turns by time in flight over all lanes of this worker, so that a crowded lane is no handicap, and so do
 * the endpoints of each; of an endpoint it is first come, first served. A slot is charged the mean of its endpoint when
 * it starts, and what it took when it is released.
 *
 * Whoever is at a cap (worker, tenant, endpoint, host) or rate stands apart until there is room, and keeps up nobody
 * else. A slot holds its place under the caps from `next` until `release`, when its request has ended, and is unsettled
 * until `settle`. (Were the caps held until then, the latency of our own acknowledgements would take from a tenant's
 * concurrency.) Every slot is in one stage: held, queued, in flight, settling, ended.
 */
export interface Scheduler<W extends Work> {
  /** Lanes of one number share their tenants' caps, and have buffers of their own. */
  openLane(number: number): Lane;
  /** Drops what is queued or held; slots in flight keep their caps until they are released. */
  loseLane(lane: Lane): void;
  /** Queues the named slots of a record, all or none. False: no room, `onRoom` will tell. */
  offer(lane: Lane, work: W, indexes: readonly number[]): boolean;
  /**
   * A slot that an earlier owner may still send, of the record that was offered last: it counts against the caps of its
   * tenant and endpoint, and is queued in front when its time is over. Never refused, or caps would not be exact.
   */
  hold(lane: Lane, work: W, index: number, untilMs: number): Slot<W>;
  /** Its earlier owner has settled it. False: we had begun it, or it has ended. */
  settleHeld(slot: Slot<W>): boolean;
  /** Ends a slot that is queued or held; false for any other. */
  drop(slot: Slot<W>): boolean;
  /** Takes out records of a tenant of which nothing was started, from the newest back; given in their order. */
  takeTail(lane: Lane, tenantId: TenantId, maxSlots: number): Moved<W>[];
  /** Whether a record fits into its tenant's share of the lane. Where not, `onTenantRoom` will tell. */
  hasRoomFor(lane: Lane, tenantId: TenantId, slots: number, bytes: number): boolean;
  /** A tenant's slots in a lane that are queued or held. */
  queuedOf(lane: Lane, tenantId: TenantId): number;
  /** Held, in flight or settling. */
  underWay(lane: Lane, nowMs: number): Iterable<UnderWay<W>>;
  /** Tenants with anything in a lane, once per lane. */
  loads(): Iterable<TenantLoad>;
  next(nowMs: number): Slot<W> | null;
  /** When `next` has something that it has not now, though nothing ends and nothing comes; null: never. */
  readonly nextWakeMs: number | null;
  /** The request of a slot has ended: its caps are free. Safe twice. */
  release(slot: Slot<W>, tookMs: number): void;
  /** All that came of a slot is acknowledged. One that was not released was never sent, and is charged nothing. */
  settle(slot: Slot<W>): void;
  /** A slot that was taken and must not be tried now: back to the front of its endpoint's queue. */
  putBack(slot: Slot<W>): void;
  /**
   * Gives those at their cap a turn: it may have been raised while nothing of theirs ended. Also finds tenants that do
   * not answer any more while nothing of theirs waits.
   */
  recheckCaps(nowMs: number): void;
  pause(reason: PauseReason): void;
  resume(reason: PauseReason): void;
  readonly paused: boolean;
  /** Slots started and not settled. */
  readonly unsettled: number;
  stats(): SchedulerStats;
}

export function createScheduler<W extends Work>(options: SchedulerOptions): Scheduler<W> {
  return new TurnScheduler(options);
}
