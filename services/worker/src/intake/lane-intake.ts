import type { TenantId } from '@posthorn/contracts';
import type { AssignedAt, PartitionHandler, PartitionStats, ProduceAck } from '@posthorn/kafka';
import type { Scheduler } from '../schedule/scheduler.ts';
import type { Backlog } from './backlog.ts';
import type { DeliveryWork } from './delivery-work.ts';
import { HeldSlots } from './held-slots.ts';
import type { LaneSide } from './take-in.ts';

/** What both sides of a lane are. */
export interface SideIntake extends PartitionHandler, LaneSide {
  readonly at: AssignedAt;
  /** No record before it will be offered for the first time. */
  readonly readTo: number;
  /** Whether a record will still be offered. */
  isUnread(offset: number): boolean;
}

export interface DeliveriesSide extends SideIntake {
  /** Something of it was offered. */
  readonly hasBegun: boolean;
  /** Takes records of a tenant, the newest first, out of the way of the map. */
  relieve(tenantId: TenantId, maxSlots: number): void;
}

export interface OverflowSide extends SideIntake {
  readonly backlog: Backlog;
  /** Names this assignment in the copies that are made under it. */
  readonly mover: string;
  /** Read to where it ended when the lane came: what its last owner left there is known. */
  readonly isTakenOver: boolean;
  /** A record is about to be moved here; what is returned is to be called at its end. */
  expectCopy(tenantId: TenantId, origin: string): (ack: ProduceAck | null) => void;
  tenantHasRoom(tenantId: TenantId): void;
  /** The buffer of the lane as a whole has room again. */
  hasRoom(): void;
  /** Looks after what no record brings about. */
  tick(stats: PartitionStats | undefined, heldInLane: number): void;
}

/**
 * A lane as this worker has it: its partition of `deliveries` and its partition of `overflow`, which come and go
 * together but for repairs of one of them. What both must know stands here.
 */
export class LaneIntake {
  readonly number: number;
  readonly heldSlots: HeldSlots;
  deliveries: DeliveriesSide | null = null;
  overflow: OverflowSide | null = null;
  /** Names the assignment in the copies that are made under it. */
  mover: string | null = null;

  constructor(number: number, scheduler: Pick<Scheduler<DeliveryWork>, 'settleHeld'>) {
    this.number = number;
    this.heldSlots = new HeldSlots(scheduler);
  }

  /** An earlier owner may be at slots of records that were not offered yet. */
  get hasHeldUnread(): boolean {
    return [this.deliveries, this.overflow].some((side) => side !== null && side.readTo < side.at.heldEnd);
  }

  /** Another assignment of its topic may have taken its place by now. */
  forget(side: SideIntake): void {
    if (this.deliveries === side) this.deliveries = null;
    if (this.overflow === side) this.overflow = null;
    this.heldSlots.lose(side.topic);
  }
}
