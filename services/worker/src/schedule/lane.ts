import type { EndpointId, TenantId } from '@posthorn/contracts';
import type { Host } from './hosts.ts';
import { type Linked, List } from './list.ts';
import type { EndpointQueue, TenantQueue } from './queues.ts';

/** What the scheduler must know of a record: whose it is, what it weighs, and its endpoints. */
export interface Work {
  readonly tenantId: TenantId;
  readonly bytes: number;
  readonly endpointIds: readonly EndpointId[];
}

/**
 * One endpoint of a record.
 *
 * Stages: held (an earlier owner may still send it) → queued ⇄ in_flight (put back) → settling → ended. A slot that is
 * held or queued also ends when it is dropped, moved, or lost with its lane.
 */
export interface Slot<W extends Work> extends Linked<Slot<W>> {
  readonly work: W;
  /** Its place in the record. */
  readonly index: number;
  readonly endpointId: EndpointId;
  readonly parcel: Parcel<W>;
  readonly queue: EndpointQueue<W>;
  stage: 'held' | 'queued' | 'in_flight' | 'settling' | 'ended';
  /** By the clock of `next`. */
  startedMs: number;
  /** When its request ends at the latest, by the same clock; 0 until one has begun. */
  deadlineMs: number;
  /** When a held slot may be sent. */
  heldUntilMs: number;
  /** Time in flight that it was charged at its start. */
  chargedMs: number;
  /** The host whose cap it counts against while it is in flight. */
  host: Host<W> | null;
}

/** A record as its lane's buffer holds it; its bytes are free with its last slot. */
export interface Parcel<W extends Work> extends Linked<Parcel<W>> {
  readonly lane: Lane;
  readonly share: Share<W>;
  readonly work: W;
  readonly slots: Slot<W>[];
  open: number;
}

/** What one tenant holds of one lane's buffer. */
export interface Share<W extends Work> {
  readonly lane: Lane;
  readonly tenant: TenantQueue<W>;
  /** Queued or held. */
  slots: number;
  bytes: number;
  /** Room was asked for in vain; it is announced once half of the share is free. */
  full: boolean;
  /** Records of which nothing was started, by arrival: these may move to the overflow. */
  readonly untouched: List<Parcel<W>>;
  /** The record that came last, while any slot of it is open. */
  latest: Parcel<W> | null;
}

/**
 * One partition as this worker holds it, from its assignment to its loss.
 *
 * Modes: open ⇄ full (a record was refused; room is announced once half of the buffer is free) → lost (what is queued
 * or held is dropped; what was started goes on and is counted until it settles).
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
  /** What one tenant may fill of both; a few records at least. */
  readonly tenantSharePercent: number;
}

const ROOM_SHARE = 0.5;
const LEAST_SHARE_SLOTS = 128;
const LEAST_SHARE_BYTES = 256 * 1_024;

export function openLane(number: number, bounds: LaneBounds): Lane {
  return { number, bounds, mode: 'open', queuedSlots: 0, heldBytes: 0 };
}

export function openShare<W extends Work>(lane: Lane, tenant: TenantQueue<W>): Share<W> {
  return { lane, tenant, slots: 0, bytes: 0, full: false, untouched: new List(), latest: null };
}

/** Whether a record fits. One that comes to an empty lane always does, or it could never be taken. */
export function fitsLane(lane: Lane, slots: number, bytes: number): boolean {
  if (lane.queuedSlots === 0 && lane.heldBytes === 0) return true;
  return lane.queuedSlots + slots <= lane.bounds.maxSlots && lane.heldBytes + bytes <= lane.bounds.maxBytes;
}

/** Whether a full lane has drained far enough to be fed again. */
export function laneHasRoom(lane: Lane): boolean {
  return (
    lane.queuedSlots <= lane.bounds.maxSlots * ROOM_SHARE &&
    lane.heldBytes <= lane.bounds.maxBytes * ROOM_SHARE
  );
}

type Filling = Pick<Share<Work>, 'lane' | 'slots' | 'bytes'>;

/** Whether a record fits into its tenant's share; the first always does. */
export function fitsShare({ lane, slots, bytes }: Filling, more: number, moreBytes: number): boolean {
  if (slots === 0 && bytes === 0) return true;
  return slots + more <= shareSlots(lane.bounds) && bytes + moreBytes <= shareBytes(lane.bounds);
}

export function shareHasRoom({ lane, slots, bytes }: Filling): boolean {
  return slots <= shareSlots(lane.bounds) * ROOM_SHARE && bytes <= shareBytes(lane.bounds) * ROOM_SHARE;
}

const part = (whole: number, percent: number, least: number): number =>
  Math.min(whole, Math.max(least, Math.floor((whole * percent) / 100)));

function shareSlots({ maxSlots, tenantSharePercent }: LaneBounds): number {
  return part(maxSlots, tenantSharePercent, LEAST_SHARE_SLOTS);
}

function shareBytes({ maxBytes, tenantSharePercent }: LaneBounds): number {
  return part(maxBytes, tenantSharePercent, LEAST_SHARE_BYTES);
}
