import { encodeSettled } from '@posthorn/contracts';
import type { AssignedAt, OutboundRecord, SlotPlace, TrackedRecord } from '@posthorn/kafka';
import type { Lane } from '../schedule/lane.ts';
import { type DeliveryWork, sourceOf } from './delivery-work.ts';
import { findStrays, type Strays } from './find-strays.ts';
import {
  announce,
  type IntakeParts,
  type LaneIntake,
  type SideIntake,
  slotsUnderWay,
} from './lane-intake.ts';
import { copyForLane, copyForOverflow } from './move-records.ts';
import type { LaneSide, Opened } from './take-in.ts';

/**
 * A partition of `deliveries`, from its assignment to its loss. Every record's slots go to the scheduler at once, but
 * for those of a tenant that has filled its share, or has records in the overflow: these move there, untouched, so that
 * whoever is behind them moves on.
 */
export class DeliveriesIntake implements SideIntake, LaneSide {
  readonly topic = 'deliveries';
  readonly at: AssignedAt;
  readonly lane: Lane;
  readonly source: number;
  readonly #parts: IntakeParts;
  readonly #both: LaneIntake;
  #readTo: number;

  constructor(parts: IntakeParts, both: LaneIntake, at: AssignedAt) {
    this.at = at;
    this.lane = parts.scheduler.openLane(both.number);
    this.source = sourceOf(both.number, false);
    this.#parts = parts;
    this.#both = both;
    this.#readTo = at.start;
  }

  get readTo(): number {
    return this.#readTo;
  }

  get hasBegun(): boolean {
    return this.#readTo > this.at.start;
  }

  get heldSlots() {
    return this.#both.heldSlots;
  }

  /** Whether a record will still be offered for the first time. */
  isUnread(offset: number): boolean {
    return offset >= this.#readTo && !this.at.isFinished(offset);
  }

  offer(record: TrackedRecord): boolean {
    const { takeIn } = this.#parts;
    const opened = takeIn.open(this, record);
    if (opened !== null && !this.#take(opened)) return false;
    this.#readTo = Math.max(this.#readTo, record.offset + 1);
    return true;
  }

  lost(settledSince: readonly SlotPlace[] = []): void {
    const { scheduler, repeats, topics } = this.#parts;
    scheduler.loseLane(this.lane);
    repeats.lose(this.source);
    this.#both.heldSlots.lose(this.topic);
    if (this.#both.deliveries === this) this.#both.deliveries = null;
    announce(
      this.#parts,
      (place) => settledRecord(topics.overflow, this.lane.number, 'deliveries', place),
      settledSince,
    );
  }

  underWay() {
    return slotsUnderWay(this.#parts, this.lane);
  }

  /** Takes records of a tenant, the newest first, out of the way of the map. */
  relieve(tenantId: string, maxSlots: number): void {
    const { scheduler, mover } = this.#parts;
    if (this.#both.overflow === null || !mover.hasRoom()) return;
    for (const { work, indexes } of scheduler.takeTail(this.lane, tenantId, maxSlots)) {
      this.#moveToOverflow(work, indexes, 'relief');
    }
  }

  /** False: refused, and nothing was done. */
  #take(opened: Opened): boolean {
    const { takeIn } = this.#parts;
    const { work, free, held } = opened;
    if (free.length === 0 && held.length === 0) {
      takeIn.accept(this, opened);
      return true;
    }
    if (held.length === 0) {
      const strays = findStrays(this.#parts.configs, work, free);
      if (strays !== null) return this.#moveToLanes(opened, strays);
      if (this.#mustOverflow(work, free.length)) return this.#overflow(opened);
    }
    return takeIn.queue(this, opened);
  }

  #mustOverflow({ tenantId, bytes }: DeliveryWork, slots: number): boolean {
    const { overflow } = this.#both;
    if (overflow === null) return false;
    return (
      overflow.backlog.has(tenantId) || !this.#parts.scheduler.hasRoomFor(this.lane, tenantId, slots, bytes)
    );
  }

  #overflow(opened: Opened): boolean {
    const { takeIn, mover } = this.#parts;
    if (!mover.hasRoom()) return false;
    takeIn.accept(this, opened);
    this.#moveToOverflow(opened.work, opened.free, 'overflow');
    return true;
  }

  #moveToOverflow(work: DeliveryWork, indexes: readonly number[], why: 'overflow' | 'relief'): void {
    const { mover, metrics, topics } = this.#parts;
    const overflow = this.#both.overflow!;
    const from = { topic: 'deliveries', mover: overflow.mover } as const;
    const to = copyForOverflow(topics.overflow, work, indexes, from);
    mover.start({ work, indexes, to, ended: overflow.expectCopy(work.tenantId, to.headers.ph_origin!) });
    metrics.moved(why);
  }

  #moveToLanes(opened: Opened, strays: Strays): boolean {
    const { mover, takeIn } = this.#parts;
    if (!mover.hasRoom()) return false;
    takeIn.accept(this, opened);
    moveToLanes(this.#parts, opened.work, strays);
    return true;
  }
}

export function moveToLanes(
  { mover, metrics, topics }: IntakeParts,
  work: DeliveryWork,
  { lanes, revision }: Strays,
): void {
  for (const [lane, indexes] of lanes) {
    const to = copyForLane(topics.deliveries, work, indexes, { lane, revision });
    mover.start({ work, indexes, to });
    metrics.moved('stray');
  }
}

const NO_PAYLOAD = Buffer.alloc(0);

export function settledRecord(
  topic: string,
  lane: number,
  from: 'deliveries' | 'overflow',
  place: SlotPlace,
): OutboundRecord {
  const headers = encodeSettled({ topic: from, ...place });
  return { topic, partition: lane, key: null, value: NO_PAYLOAD, headers };
}
