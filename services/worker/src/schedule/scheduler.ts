import type { TenantId } from '@posthorn/contracts';
import { createFifo } from './fifo.ts';
import {
  fits,
  type Hold,
  hasRoom,
  type Lane,
  type LaneBounds,
  openLane,
  openTenantQueue,
  type Slot,
  type TenantQueue,
  type Work,
} from './lane.ts';

/** Why nothing may start: an acknowledgement is overdue, the service stops. */
export type PauseReason = 'produce' | 'stop';

export interface SchedulerOptions {
  /** Slots with a request under way in this worker. */
  readonly maxInFlight: number;
  /** Slots started and not settled, those in flight included. */
  readonly maxUnsettled: number;
  readonly laneBounds: LaneBounds;
  /** Slots of a tenant that may be in flight in a lane. Asked at every turn: a changed quota holds at once. */
  capOf(tenantId: TenantId, lane: number, nowMs: number): number;
  /** A lane that refused a record has drained to half. */
  onRoom(lane: Lane): void;
}

export interface SchedulerStats {
  readonly queuedSlots: number;
  readonly heldBytes: number;
  readonly inFlight: number;
  readonly unsettled: number;
  readonly tenantsAtCap: number;
  readonly fullLanes: number;
}

/**
 * Which slot is tried next. Pure: no I/O, no timers, the clock is an argument.
 *
 * Tenants take turns, one slot a turn, over all lanes of this worker, so that a crowded lane is no handicap; within a
 * tenant it is first come, first served. (The turn is where a deficit by time in flight will be spent.) A slot holds
 * its place under the caps from `next` until `release`, when its request has ended, and is unsettled until `settle`.
 * (Were the caps held until then, the latency of our own acknowledgements would take from a tenant's concurrency.)
 * Every slot is in one place: queued, in flight, settling, settled, or dropped with its lane.
 */
export interface Scheduler<W extends Work> {
  openLane(number: number): Lane;
  /** Drops what is queued; slots in flight keep their caps until they are released. */
  loseLane(lane: Lane): void;
  /** Queues the named slots of a record, all or none. False: no room, `onRoom` will tell. */
  offer(lane: Lane, work: W, indexes: readonly number[]): boolean;
  next(nowMs: number): Slot<W> | null;
  /** The request of a slot has ended: its caps are free. Safe twice. */
  release(slot: Slot<W>): void;
  settle(slot: Slot<W>): void;
  /** A slot that was taken and must not be tried now: back to the front of its tenant's queue. */
  putBack(slot: Slot<W>): void;
  /** Gives tenants at their cap a turn: a quota may have been raised while nothing of theirs ended. */
  recheckCaps(): void;
  pause(reason: PauseReason): void;
  resume(reason: PauseReason): void;
  readonly paused: boolean;
  /** Slots started and not settled. */
  readonly unsettled: number;
  stats(): SchedulerStats;
}

export function createScheduler<W extends Work>(options: SchedulerOptions): Scheduler<W> {
  const lanes = new Set<Lane>();
  /** By lane number, not by assignment: see TenantQueue. */
  const queues = new Map<number, Map<TenantId, TenantQueue<W>>>();
  const turns = createFifo<TenantQueue<W>>();
  const atCap = new Set<TenantQueue<W>>();
  const pauses = new Set<PauseReason>();
  let inFlight = 0;
  let unsettled = 0;

  function queueOf(lane: number, tenantId: TenantId): TenantQueue<W> {
    const ofLane = queues.get(lane) ?? new Map<TenantId, TenantQueue<W>>();
    queues.set(lane, ofLane);
    const queue = ofLane.get(tenantId) ?? openTenantQueue<W>(tenantId, lane);
    ofLane.set(tenantId, queue);
    return queue;
  }

  function takeTurn(queue: TenantQueue<W>): void {
    if (queue.place === 'in_turn') return;
    atCap.delete(queue);
    queue.place = 'in_turn';
    turns.push(queue);
  }

  function rest(queue: TenantQueue<W>): void {
    atCap.delete(queue);
    queue.place = 'idle';
    if (queue.inFlight === 0) queues.get(queue.lane)?.delete(queue.tenantId);
  }

  function announceRoom(lane: Lane): void {
    if (lane.mode !== 'full' || !hasRoom(lane)) return;
    lane.mode = 'open';
    options.onRoom(lane);
  }

  function end(slot: Slot<W>): void {
    const { hold } = slot;
    hold.open -= 1;
    if (hold.open === 0) hold.lane.heldBytes -= hold.bytes;
    announceRoom(hold.lane);
  }

  function release(slot: Slot<W>): void {
    if (!slot.capped) return;
    slot.capped = false;
    const { queue } = slot.hold;
    queue.inFlight -= 1;
    inFlight -= 1;
    if (queue.waiting.length > 0) takeTurn(queue);
    else if (queue.place !== 'in_turn') rest(queue);
  }

  function settle(slot: Slot<W>): void {
    release(slot);
    unsettled -= 1;
    end(slot);
  }

  return {
    openLane(number) {
      const lane = openLane(number, options.laneBounds);
      lanes.add(lane);
      return lane;
    },
    loseLane(lane) {
      lane.mode = 'lost';
      lanes.delete(lane);
      for (const queue of queues.get(lane.number)?.values() ?? []) {
        for (let slot = queue.waiting.shift(); slot; slot = queue.waiting.shift()) {
          lane.queuedSlots -= 1;
          end(slot);
        }
        if (queue.place !== 'in_turn') rest(queue);
      }
    },
    offer(lane, work, indexes) {
      if (lane.mode === 'lost') return false;
      if (!fits(lane, indexes.length, work.bytes)) {
        lane.mode = 'full';
        return false;
      }
      const queue = queueOf(lane.number, work.tenantId);
      const hold: Hold<W> = { lane, queue, bytes: work.bytes, open: indexes.length };
      for (const index of indexes) {
        queue.waiting.push({ work, index, endpointId: work.endpointIds[index]!, hold, capped: false });
      }
      lane.queuedSlots += indexes.length;
      lane.heldBytes += work.bytes;
      if (queue.place === 'idle') takeTurn(queue);
      return true;
    },
    next(nowMs) {
      if (pauses.size > 0 || inFlight >= options.maxInFlight || unsettled >= options.maxUnsettled)
        return null;
      for (let queue = turns.shift(); queue; queue = turns.shift()) {
        queue.place = 'idle';
        if (queue.waiting.length === 0) {
          rest(queue);
        } else if (queue.inFlight >= options.capOf(queue.tenantId, queue.lane, nowMs)) {
          queue.place = 'at_cap';
          atCap.add(queue);
        } else {
          const slot = queue.waiting.shift()!;
          slot.capped = true;
          queue.inFlight += 1;
          inFlight += 1;
          unsettled += 1;
          slot.hold.lane.queuedSlots -= 1;
          if (queue.waiting.length > 0) takeTurn(queue);
          announceRoom(slot.hold.lane);
          return slot;
        }
      }
      return null;
    },
    release,
    settle,
    putBack(slot) {
      const { queue, lane } = slot.hold;
      if (lane.mode === 'lost') return settle(slot);
      queue.waiting.unshift(slot);
      lane.queuedSlots += 1;
      unsettled -= 1;
      release(slot);
    },
    recheckCaps() {
      for (const queue of [...atCap]) takeTurn(queue);
    },
    pause: (reason) => void pauses.add(reason),
    resume: (reason) => void pauses.delete(reason),
    get paused() {
      return pauses.size > 0;
    },
    get unsettled() {
      return unsettled;
    },
    stats() {
      let queuedSlots = 0;
      let heldBytes = 0;
      let fullLanes = 0;
      for (const lane of lanes) {
        queuedSlots += lane.queuedSlots;
        heldBytes += lane.heldBytes;
        if (lane.mode === 'full') fullLanes += 1;
      }
      return { queuedSlots, heldBytes, inFlight, unsettled, tenantsAtCap: atCap.size, fullLanes };
    },
  };
}
