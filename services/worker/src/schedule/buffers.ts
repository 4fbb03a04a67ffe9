import {
  fitsLane,
  fitsShare,
  type Lane,
  type LaneBounds,
  laneHasRoom,
  openLane,
  openShare,
  type Parcel,
  type Share,
  type Slot,
  shareHasRoom,
  type Work,
} from './lane.ts';
import type { EndpointQueue, TenantQueue } from './queues.ts';

export interface BufferOptions {
  readonly laneBounds: LaneBounds;
  /** A lane that refused a record has drained to half. */
  onRoom(lane: Lane): void;
  /** A tenant for whom there was no room in a lane has drained to half of its share. */
  onTenantRoom(lane: Lane, tenantId: string): void;
}

export interface BufferStats {
  readonly queuedSlots: number;
  readonly heldBytes: number;
  readonly fullLanes: number;
}

/** What records weigh in their lanes and in their tenants' shares of them. */
export class Buffers<W extends Work> {
  readonly #options: BufferOptions;
  readonly #lanes = new Set<Lane>();

  constructor(options: BufferOptions) {
    this.#options = options;
  }

  open(number: number): Lane {
    const lane = openLane(number, this.#options.laneBounds);
    this.#lanes.add(lane);
    return lane;
  }

  lose(lane: Lane): void {
    lane.mode = 'lost';
    this.#lanes.delete(lane);
  }

  hasRoom(lane: Lane, slots: number, bytes: number): boolean {
    if (fitsLane(lane, slots, bytes)) return true;
    lane.mode = 'full';
    return false;
  }

  tenantHasRoom(share: Share<W>, slots: number, bytes: number): boolean {
    share.full = !fitsShare(share, slots, bytes);
    return !share.full;
  }

  shareOf(lane: Lane, tenant: TenantQueue<W>): Share<W> {
    const known = tenant.shares.find((share) => share.lane === lane);
    if (known !== undefined) return known;
    const share = openShare(lane, tenant);
    tenant.shares.push(share);
    return share;
  }

  openParcel(share: Share<W>, work: W): Parcel<W> {
    const { lane } = share;
    const parcel = { lane, share, work, slots: [], open: 0, list: null, before: null, after: null };
    lane.heldBytes += work.bytes;
    share.bytes += work.bytes;
    share.untouched.push(parcel);
    share.latest = parcel;
    return parcel;
  }

  openSlot(parcel: Parcel<W>, index: number, queue: EndpointQueue<W>): Slot<W> {
    const slot: Slot<W> = {
      work: parcel.work,
      index,
      endpointId: queue.endpointId,
      parcel,
      queue,
      stage: 'queued',
      startedMs: 0,
      deadlineMs: 0,
      heldUntilMs: 0,
      chargedMs: 0,
      host: null,
      list: null,
      before: null,
      after: null,
    };
    parcel.slots.push(slot);
    parcel.open += 1;
    this.queued(parcel);
    return slot;
  }

  queued({ lane, share }: Parcel<W>): void {
    lane.queuedSlots += 1;
    share.slots += 1;
  }

  unqueued({ lane, share }: Parcel<W>): void {
    lane.queuedSlots -= 1;
    share.slots -= 1;
  }

  /** From now on the record stays where it is. */
  touch(parcel: Parcel<W>): void {
    if (parcel.list !== null) parcel.list.remove(parcel);
  }

  ended(parcel: Parcel<W>): void {
    parcel.open -= 1;
    if (parcel.open > 0) return;
    const { lane, share, work } = parcel;
    lane.heldBytes -= work.bytes;
    share.bytes -= work.bytes;
    this.touch(parcel);
    if (share.latest === parcel) share.latest = null;
  }

  /** Calls back, so that it comes last. */
  announceRoom({ lane, share }: Pick<Parcel<W>, 'lane' | 'share'>): void {
    if (lane.mode === 'lost') return;
    if (share.full && shareHasRoom(share)) {
      share.full = false;
      this.#options.onTenantRoom(lane, share.tenant.tenantId);
    }
    if (lane.mode !== 'full' || !laneHasRoom(lane)) return;
    lane.mode = 'open';
    this.#options.onRoom(lane);
  }

  stats(): BufferStats {
    let queuedSlots = 0;
    let heldBytes = 0;
    let fullLanes = 0;
    for (const lane of this.#lanes) {
      queuedSlots += lane.queuedSlots;
      heldBytes += lane.heldBytes;
      if (lane.mode === 'full') fullLanes += 1;
    }
    return { queuedSlots, heldBytes, fullLanes };
  }
}
