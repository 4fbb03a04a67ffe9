import type { TenantId } from '@posthorn/contracts';
import type { AssignedAt, SlotPlace, TrackedRecord } from '@posthorn/kafka';
import type { Lane } from '../schedule/lane.ts';
import { type DeliveryWork, sourceOf } from './delivery-work.ts';
import { findStrays, type Strays } from './find-strays.ts';
import type { IntakeParts } from './intake-parts.ts';
import type { DeliveriesSide, LaneIntake } from './lane-intake.ts';
import { leaveLane, slotsUnderWay } from './leave-lane.ts';
import { copyForOverflow } from './move-records.ts';
import { moveStrays } from './move-strays.ts';
import type { Opened } from './take-in.ts';

/**
 * A partition of `deliveries`, from its assignment to its loss. Every record's slots go to the scheduler at once, but
 * for those of a tenant that has filled its share, or has records in the overflow: these move there, untouched, so that
 * whoever is behind them moves on.
 */
export class DeliveriesIntake implements DeliveriesSide {
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
    leaveLane(this.#parts, this.#both, this, settledSince);
  }

  underWay() {
    return slotsUnderWay(this.#parts, this.lane);
  }

  relieve(tenantId: TenantId, maxSlots: number): void {
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
    moveStrays(this.#parts, opened.work, strays);
    return true;
  }
}
