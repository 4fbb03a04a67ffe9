import type { EndpointId, TenantId } from '@posthorn/contracts';
import { createFifo, type Fifo } from './fifo.ts';

/** What the scheduler must know of a record: whose it is, what it weighs, and its endpoints. */
export interface Work {
  readonly tenantId: TenantId;
  readonly bytes: number;
  readonly endpointIds: readonly EndpointId[];
}

/** One endpoint of a record: what is queued, started and settled. */
export interface Slot<W extends Work> {
  readonly work: W;
  /** Its place in the record. */
  readonly index: number;
  readonly endpointId: EndpointId;
  readonly hold: Hold<W>;
  /** Whether it counts against the caps: from its start to the end of its request. */
  capped: boolean;
}

/** A record's weight in its lane's buffer, freed with its last slot. */
export interface Hold<W extends Work> {
  readonly lane: Lane;
  readonly queue: TenantQueue<W>;
  readonly bytes: number;
  open: number;
}

/**
 * One lane as this worker holds it, from its assignment to its loss.
 *
 * Modes: open ⇄ full (a record was refused; room is announced once half of the buffer is free) → lost (its queued
 * slots are dropped; what is in flight goes on and is counted until it settles).
 */
export interface Lane {
  readonly number: number;
  readonly bounds: LaneBounds;
  mode: 'open' | 'full' | 'lost';
  queuedSlots: number;
  heldBytes: number;
}

export interface LaneBounds {
  readonly maxSlots: number;
  readonly maxBytes: number;
}

/**
 * A tenant's slots in one lane, first come, first served. It outlives a lane that is lost and comes back as long as
 * something of it is in flight: the cap counts requests, whichever assignment they were started under.
 *
 * Places: idle (nothing waits) → in_turn (in the ring) ⇄ at_cap (something waits, the cap is used up).
 */
export interface TenantQueue<W extends Work> {
  readonly tenantId: TenantId;
  readonly lane: number;
  readonly waiting: Fifo<Slot<W>>;
  inFlight: number;
  place: 'idle' | 'in_turn' | 'at_cap';
}

const ROOM_SHARE = 0.5;

export function openLane(number: number, bounds: LaneBounds): Lane {
  return { number, bounds, mode: 'open', queuedSlots: 0, heldBytes: 0 };
}

export function openTenantQueue<W extends Work>(tenantId: TenantId, lane: number): TenantQueue<W> {
  return { tenantId, lane, waiting: createFifo(), inFlight: 0, place: 'idle' };
}

/** Whether a record fits. One that comes to an empty lane always does, or it could never be taken. */
export function fits(lane: Lane, slots: number, bytes: number): boolean {
  if (lane.queuedSlots === 0 && lane.heldBytes === 0) return true;
  return lane.queuedSlots + slots <= lane.bounds.maxSlots && lane.heldBytes + bytes <= lane.bounds.maxBytes;
}

/** Whether a full lane has drained far enough to be fed again. */
export function hasRoom(lane: Lane): boolean {
  return (
    lane.queuedSlots <= lane.bounds.maxSlots * ROOM_SHARE &&
    lane.heldBytes <= lane.bounds.maxBytes * ROOM_SHARE
  );
}
