import { decodeSettled, moverOf, RecordFormatError, type TenantId } from '@posthorn/contracts';
import type { AssignedAt, PartitionStats, ProduceAck, SlotPlace, TrackedRecord } from '@posthorn/kafka';
import type { Lane } from '../schedule/lane.ts';
import { Backlog } from './backlog.ts';
import { sourceOf, weightOf } from './delivery-work.ts';
import { findStrays } from './find-strays.ts';
import type { IntakeParts } from './intake-parts.ts';
import { isDouble, type TakenOver } from './judge-copy.ts';
import type { DeliveriesSide, LaneIntake, OverflowSide } from './lane-intake.ts';
import { leaveLane, slotsUnderWay } from './leave-lane.ts';
import { copyForOverflow } from './move-records.ts';
import { moveStrays } from './move-strays.ts';
import { Rotation } from './rotation.ts';

/** So long after an assignment something of the lane's last owner may still arrive. */
const LATE_COPIES_MS = 10_000;
const WAKE_INTERVAL_MS = 1_000;
const SEEK_OVER_RECORDS = 500;

/**
 * A partition of `overflow`, from its assignment to its loss. Nothing in it is refused: what has no room is passed over,
 * and read again when its tenant has drained to half of its share; the records of others are in nobody's way.
 *
 * Modes: reading ↔ rereading (some tenant with records further back has room) ↔ parked (nothing can be in it that was
 * not read: this worker is its only producer).
 */
export class OverflowIntake implements OverflowSide {
  readonly topic = 'overflow';
  readonly at: AssignedAt;
  readonly lane: Lane;
  readonly source: number;
  readonly backlog: Backlog;
  readonly mover: string;
  readonly #parts: IntakeParts;
  readonly #both: LaneIntake;
  /** What it had been reading before this: which of its records were moved since then its take-over does not say. */
  readonly #kept: DeliveriesSide | null;
  readonly #rotation: Rotation;
  readonly #assignedMs: number;
  /** Origins whose copies are not acknowledged. */
  readonly #moving = new Set<string>();
  /** Tenants of whom such a copy was read already. */
  readonly #early = new Set<TenantId>();
  /** Where the rereading under way goes on; null while there is none. */
  #again: number | null = null;
  #isRead: boolean;
  #parked = false;
  #nextWakeMs = 0;

  constructor(parts: IntakeParts, both: LaneIntake, at: AssignedAt) {
    this.at = at;
    this.lane = parts.scheduler.openLane(both.number);
    this.source = sourceOf(both.number, true);
    this.backlog = new Backlog(parts.maxRuns, at.start);
    this.#kept = both.deliveries?.hasBegun === true ? both.deliveries : null;
    this.mover = (this.#kept === null ? null : both.mover) ?? parts.nameAssignment();
    both.mover = this.mover;
    this.#rotation = new Rotation();
    this.#parts = parts;
    this.#both = both;
    this.#assignedMs = parts.clock.monotonicMs();
    this.#isRead = at.start >= at.end;
  }

  get isTakenOver(): boolean {
    return this.#isRead || this.backlog.readTo >= this.at.end;
  }

  get #takenOver(): TakenOver {
    const { deliveries } = this.#both;
    const at = deliveries === this.#kept ? null : (deliveries?.at ?? null);
    return { deliveries: at, overflow: this.at, mover: this.mover };
  }

  get readTo(): number {
    return this.backlog.readTo;
  }

  get heldSlots() {
    return this.#both.heldSlots;
  }

  offer(record: TrackedRecord): boolean {
    const { offset } = record;
    const tenantId = record.headers.ce_tenant ?? '';
    const isNew = offset >= this.backlog.readTo;
    if (isNew) {
      this.#again = null;
      this.#rotation.sample(offset, record.timestampMs);
    } else this.backlog.readAgain(tenantId, this.#again ?? offset, offset);
    this.#take(record, tenantId, isNew);
    // What is passed over must be known by now, or its tenant would be taken for one without records here.
    if (isNew) this.backlog.read(tenantId, offset);
    this.#steer(offset + 1);
    return true;
  }

  lost(settledSince: readonly SlotPlace[] = []): void {
    leaveLane(this.#parts, this.#both, this, settledSince);
  }

  isUnread(offset: number): boolean {
    const isNew = offset >= this.backlog.readTo && !this.at.isFinished(offset);
    return isNew || this.backlog.isPassedOver(offset);
  }

  underWay() {
    return slotsUnderWay(this.#parts, this.lane);
  }

  expectCopy(tenantId: TenantId, origin: string): (ack: ProduceAck | null) => void {
    this.backlog.moving(tenantId);
    this.#moving.add(origin);
    this.#park(false);
    return (ack) => {
      this.#moving.delete(origin);
      this.backlog.moved(tenantId, ack?.offset ?? null);
      if (this.#early.delete(tenantId)) this.tenantHasRoom(tenantId);
    };
  }

  tenantHasRoom(tenantId: TenantId): void {
    this.backlog.want(tenantId);
    this.#steer(this.#again ?? 0);
  }

  hasRoom(): void {
    for (const tenantId of this.backlog.tenantIds()) this.backlog.want(tenantId);
    this.#steer(this.#again ?? 0);
  }

  tick(stats: PartitionStats | undefined, heldInLane: number): void {
    if (stats?.passedOver === 0) this.backlog.clear();
    if (stats?.lag === 0) this.#isRead = true;
    this.#wakeIdleTenants();
    this.#rotation.refill(this.#parts.clock.nowMs(), stats?.mapChars ?? 0, this.backlog.oldest);
    // A rereading that found nothing more has ended without a word.
    this.#steer(this.#again ?? 0, false);
    this.#park(!this.#expectsAnything(heldInLane));
  }

  #take(record: TrackedRecord, tenantId: TenantId, isNew: boolean): void {
    if (record.headers.ph_settled !== undefined) this.#settle(record);
    else if (isNew && isDouble(record, this.#takenOver)) record.complete();
    else if (isHeld(record) || !this.#mustWait(record, tenantId, isNew)) this.#takeIn(record, tenantId);
    else if (isNew || !this.#rotate(record, tenantId)) this.#passOver(record, tenantId);
  }

  #takeIn(record: TrackedRecord, tenantId: TenantId): void {
    const { takeIn, configs, mover } = this.#parts;
    const opened = takeIn.open(this, record);
    if (opened === null) return;
    const { work, free, held } = opened;
    const isUntouched = held.length === 0 && free.length > 0;
    const strays = isUntouched && mover.hasRoom() ? findStrays(configs, work, free) : null;
    if (strays !== null) {
      takeIn.accept(this, opened);
      moveStrays(this.#parts, work, strays);
    } else if (free.length === 0 && held.length === 0) takeIn.accept(this, opened);
    else if (!takeIn.queue(this, opened)) this.#passOver(record, tenantId);
  }

  /** Of one tenant what came first goes first; then its share of the lane decides. */
  #mustWait(record: TrackedRecord, tenantId: TenantId, isNew: boolean): boolean {
    const { scheduler } = this.#parts;
    if (this.#isEarly(record)) {
      this.#early.add(tenantId);
      return true;
    }
    const waitsForOthers = this.backlog.hasPassedOver(tenantId) && (isNew || !this.backlog.wants(tenantId));
    return waitsForOthers || !scheduler.hasRoomFor(this.lane, tenantId, record.slots, weightOf(record));
  }

  /** Our own copy, whose original is not complete: sent now, it would be sent again by whoever finds the original. */
  #isEarly({ headers }: TrackedRecord): boolean {
    const origin = headers.ph_origin;
    return origin !== undefined && moverOf(headers) === this.mover && this.#moving.has(origin);
  }

  #passOver(record: TrackedRecord, tenantId: TenantId): void {
    this.backlog.wantNoMore(tenantId);
    this.backlog.passOver(tenantId, record.offset);
    record.passOver();
    this.#parts.metrics.passedOver();
  }

  /** Moves a record to the end, where it is time for that. */
  #rotate(record: TrackedRecord, tenantId: TenantId): boolean {
    const { takeIn, mover, topics, metrics } = this.#parts;
    if (!this.#rotation.active || !mover.hasRoom()) return false;
    const opened = takeIn.open(this, record);
    if (opened === null || !takeIn.accept(this, opened)) return true;
    const { work, free } = opened;
    this.#rotation.take();
    const to = copyForOverflow(topics.overflow, work, free, { topic: 'overflow', mover: this.mover });
    mover.start({ work, indexes: free, to, ended: this.expectCopy(tenantId, to.headers.ph_origin!) });
    metrics.moved('rotated');
    return true;
  }

  #settle(record: TrackedRecord): void {
    try {
      const settled = decodeSettled(record.headers)!;
      const side = settled.topic === 'deliveries' ? this.#both.deliveries : this;
      const ended = this.heldSlots.settle(settled, record, side?.isUnread(settled.offset) ?? true);
      // He may have put it aside: then it comes back with the same numbers.
      if (ended !== null) this.#parts.repeats.forget(ended.work, ended.index);
    } catch (error) {
      if (!(error instanceof RecordFormatError)) throw error;
      this.#parts.takeIn.setAside(record, error);
    }
  }

  /** A share that was filled by what never waited in it announces no room. */
  #wakeIdleTenants(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    if (nowMs < this.#nextWakeMs) return;
    this.#nextWakeMs = nowMs + WAKE_INTERVAL_MS;
    for (const tenantId of this.backlog.tenantIds()) {
      if (this.#parts.scheduler.queuedOf(this.lane, tenantId) === 0) this.backlog.want(tenantId);
    }
  }

  /** Leads the rereading from one wanted record to the next, and ends it. */
  #steer(from: number, isSure = true): void {
    if (this.#both.overflow !== this) return;
    const next = this.backlog.nextWanted(from) ?? (this.#rotation.active ? this.backlog.oldest : null);
    if (next === null) {
      if (this.#again !== null) this.#reread(Number.POSITIVE_INFINITY);
      this.#again = null;
      return;
    }
    // What lies between is cheaper offered in vain than fetched anew.
    const isNear = this.#again !== null && next >= from && next - from < SEEK_OVER_RECORDS;
    this.#again = isNear ? from : next;
    if (isNear && isSure) return;
    this.#park(false);
    const found = this.#reread(this.#again);
    // Runs that were merged span more than there is, and retention takes from what there was.
    if (found !== this.#again) this.backlog.isGone(this.#again, found ?? Number.POSITIVE_INFINITY);
    this.#again = found;
  }

  #reread(offset: number): number | null {
    return this.#parts.reader.reread(this.#parts.topics.overflow, this.lane.number, offset);
  }

  #expectsAnything(heldInLane: number): boolean {
    const { backlog, heldSlots } = this;
    const isFresh = this.#parts.clock.monotonicMs() - this.#assignedMs < LATE_COPIES_MS;
    const isWaiting = backlog.expects || backlog.wanting || heldSlots.size > 0 || heldInLane > 0;
    return isFresh || isWaiting || !this.isTakenOver || this.#again !== null || this.#rotation.active;
  }

  #park(parked: boolean): void {
    if (parked === this.#parked || this.#both.overflow !== this) return;
    this.#parked = parked;
    this.#parts.reader.park(this.#parts.topics.overflow, this.lane.number, parked);
  }
}

function isHeld(record: TrackedRecord): boolean {
  for (let slot = 0; slot < record.slots; slot++) if (record.heldForMs(slot) > 0) return true;
  return false;
}
