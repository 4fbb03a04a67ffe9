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
  return new TurnScheduler(options);
}

class TurnScheduler<W extends Work> implements Scheduler<W> {
  readonly #options: SchedulerOptions;
  readonly #lanes = new Set<Lane>();
  /** By lane number, not by assignment: see TenantQueue. */
  readonly #queues = new Map<number, Map<TenantId, TenantQueue<W>>>();
  readonly #turns = createFifo<TenantQueue<W>>();
  readonly #atCap = new Set<TenantQueue<W>>();
  readonly #pauses = new Set<PauseReason>();
  #inFlight = 0;
  #unsettled = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  openLane(number: number): Lane {
    const lane = openLane(number, this.#options.laneBounds);
    this.#lanes.add(lane);
    return lane;
  }

  loseLane(lane: Lane): void {
    lane.mode = 'lost';
    this.#lanes.delete(lane);
    for (const queue of this.#queues.get(lane.number)?.values() ?? []) {
      for (let slot = queue.waiting.shift(); slot; slot = queue.waiting.shift()) {
        lane.queuedSlots -= 1;
        this.#end(slot);
      }
      if (queue.place !== 'in_turn') this.#rest(queue);
    }
  }

  offer(lane: Lane, work: W, indexes: readonly number[]): boolean {
    if (lane.mode === 'lost') return false;
    if (!fits(lane, indexes.length, work.bytes)) {
      lane.mode = 'full';
      return false;
    }
    const queue = this.#queueOf(lane.number, work.tenantId);
    const hold: Hold<W> = { lane, queue, bytes: work.bytes, open: indexes.length };
    for (const index of indexes) {
      queue.waiting.push({ work, index, endpointId: work.endpointIds[index]!, hold, capped: false });
    }
    lane.queuedSlots += indexes.length;
    lane.heldBytes += work.bytes;
    if (queue.place === 'idle') this.#takeTurn(queue);
    return true;
  }

  next(nowMs: number): Slot<W> | null {
    const { maxInFlight, maxUnsettled, capOf } = this.#options;
    if (this.paused || this.#inFlight >= maxInFlight || this.#unsettled >= maxUnsettled) return null;
    for (let queue = this.#turns.shift(); queue; queue = this.#turns.shift()) {
      queue.place = 'idle';
      if (queue.waiting.length === 0) {
        this.#rest(queue);
      } else if (queue.inFlight >= capOf(queue.tenantId, queue.lane, nowMs)) {
        queue.place = 'at_cap';
        this.#atCap.add(queue);
      } else {
        return this.#start(queue, queue.waiting.shift()!);
      }
    }
    return null;
  }

  release(slot: Slot<W>): void {
    if (!slot.capped) return;
    slot.capped = false;
    const { queue } = slot.hold;
    queue.inFlight -= 1;
    this.#inFlight -= 1;
    if (queue.waiting.length > 0) this.#takeTurn(queue);
    else if (queue.place !== 'in_turn') this.#rest(queue);
  }

  settle(slot: Slot<W>): void {
    this.release(slot);
    this.#unsettled -= 1;
    this.#end(slot);
  }

  putBack(slot: Slot<W>): void {
    const { queue, lane } = slot.hold;
    if (lane.mode === 'lost') {
      this.settle(slot);
      return;
    }
    queue.waiting.unshift(slot);
    lane.queuedSlots += 1;
    this.#unsettled -= 1;
    this.release(slot);
  }

  recheckCaps(): void {
    for (const queue of [...this.#atCap]) this.#takeTurn(queue);
  }

  pause(reason: PauseReason): void {
    this.#pauses.add(reason);
  }

  resume(reason: PauseReason): void {
    this.#pauses.delete(reason);
  }

  get paused(): boolean {
    return this.#pauses.size > 0;
  }

  get unsettled(): number {
    return this.#unsettled;
  }

  stats(): SchedulerStats {
    let queuedSlots = 0;
    let heldBytes = 0;
    let fullLanes = 0;
    for (const lane of this.#lanes) {
      queuedSlots += lane.queuedSlots;
      heldBytes += lane.heldBytes;
      if (lane.mode === 'full') fullLanes += 1;
    }
    const tenantsAtCap = this.#atCap.size;
    return {
      queuedSlots,
      heldBytes,
      inFlight: this.#inFlight,
      unsettled: this.#unsettled,
      tenantsAtCap,
      fullLanes,
    };
  }

  #queueOf(lane: number, tenantId: TenantId): TenantQueue<W> {
    let ofLane = this.#queues.get(lane);
    if (ofLane === undefined) {
      ofLane = new Map();
      this.#queues.set(lane, ofLane);
    }
    let queue = ofLane.get(tenantId);
    if (queue === undefined) {
      queue = openTenantQueue(tenantId, lane);
      ofLane.set(tenantId, queue);
    }
    return queue;
  }

  #start(queue: TenantQueue<W>, slot: Slot<W>): Slot<W> {
    const { lane } = slot.hold;
    slot.capped = true;
    queue.inFlight += 1;
    this.#inFlight += 1;
    this.#unsettled += 1;
    lane.queuedSlots -= 1;
    if (queue.waiting.length > 0) this.#takeTurn(queue);
    this.#announceRoom(lane);
    return slot;
  }

  #takeTurn(queue: TenantQueue<W>): void {
    if (queue.place === 'in_turn') return;
    this.#atCap.delete(queue);
    queue.place = 'in_turn';
    this.#turns.push(queue);
  }

  #rest(queue: TenantQueue<W>): void {
    this.#atCap.delete(queue);
    queue.place = 'idle';
    if (queue.inFlight === 0) this.#queues.get(queue.lane)?.delete(queue.tenantId);
  }

  #end(slot: Slot<W>): void {
    const { hold } = slot;
    hold.open -= 1;
    if (hold.open === 0) hold.lane.heldBytes -= hold.bytes;
    this.#announceRoom(hold.lane);
  }

  #announceRoom(lane: Lane): void {
    if (lane.mode !== 'full' || !hasRoom(lane)) return;
    lane.mode = 'open';
    this.#options.onRoom(lane);
  }
}
