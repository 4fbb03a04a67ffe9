import type { TopicNames } from '@posthorn/contracts';
import type { AssignedAt, Consumer, OutboundRecord, PartitionHandler, SlotPlace } from '@posthorn/kafka';
import type { Clock, Logger } from '@posthorn/runtime';
import type { TenantConfigs } from '@posthorn/tenant-config';
import type { WorkerMetrics } from '../metrics.ts';
import type { Lane } from '../schedule/lane.ts';
import type { Scheduler } from '../schedule/scheduler.ts';
import type { DeliveryWork } from './delivery-work.ts';
import { HeldSlots } from './held-slots.ts';
import type { Mover } from './move-records.ts';
import type { DeliveriesIntake } from './read-deliveries.ts';
import type { OverflowIntake } from './read-overflow.ts';
import type { Repeats } from './repeats.ts';
import type { TakeIn } from './take-in.ts';

/** What intake asks of the consumer. */
export type LaneReader = Pick<Consumer, 'resume' | 'park' | 'reread' | 'mayBegin'>;

/** What the intake of every lane works with. */
export interface IntakeParts {
  readonly scheduler: Scheduler<DeliveryWork>;
  readonly repeats: Repeats;
  readonly takeIn: TakeIn;
  readonly mover: Mover;
  readonly topics: Pick<TopicNames, 'deliveries' | 'overflow'>;
  readonly configs: Pick<TenantConfigs, 'peek'>;
  readonly reader: LaneReader;
  readonly clock: Clock;
  readonly log: Logger;
  readonly maxRuns: number;
  readonly metrics: IntakeMetrics;
  /** A name that no other assignment of any worker has. */
  nameAssignment(): string;
  /** Outside the fence: the new owner of a lane waits for it. */
  produceHeld(record: OutboundRecord): Promise<unknown>;
}

/** Why a record moves: no room for its tenant, waited for too long, on no lane of its tenant, too large a map. */
export type MoveReason = 'overflow' | 'rotated' | 'stray' | 'relief';

export type IntakeMetrics = Pick<WorkerMetrics, 'moved' | 'passedOver' | 'announced'>;

/**
 * A lane as this worker has it: its partition of `deliveries` and its partition of `overflow`, which come and go
 * together but for repairs of one of them. What both must know stands here.
 */
export class LaneIntake {
  readonly number: number;
  readonly heldSlots: HeldSlots;
  deliveries: DeliveriesIntake | null = null;
  overflow: OverflowIntake | null = null;
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
}

/** What both sides of a lane are. */
export interface SideIntake extends PartitionHandler {
  readonly at: AssignedAt;
  readonly lane: Lane;
  /** No record before it will be offered for the first time. */
  readonly readTo: number;
}

/**
 * Of a slot handed over under way: for the settling after its request. Longer than a produce waits inside the fence
 * (5 s): a retry that was given to the producer right before the hand-over is refused by it first, and goes out then.
 */
const SETTLE_MS = 8_000;

/** Our slots under way, and how long each may still take. Of those that we hold for an earlier owner the map knows. */
export function* slotsUnderWay(
  parts: IntakeParts,
  lane: Lane,
): ReturnType<NonNullable<PartitionHandler['underWay']>> {
  const nowMs = parts.clock.monotonicMs();
  for (const { slot, heldForMs } of parts.scheduler.underWay(lane, nowMs)) {
    if (heldForMs !== null) continue;
    const deadlineMs = slot.stage === 'in_flight' ? slot.deadlineMs : nowMs;
    const leftMs = Math.max(0, deadlineMs - nowMs) + SETTLE_MS;
    yield { offset: slot.work.record.offset, slot: slot.index, leftMs };
  }
}

/** Tells the new owner of what was settled after the last commit could say it. */
export function announce(
  parts: IntakeParts,
  control: (place: SlotPlace) => OutboundRecord,
  settled: readonly SlotPlace[],
): void {
  for (const place of settled) {
    parts.produceHeld(control(place)).then(
      () => parts.metrics.announced('in_time'),
      () => parts.metrics.announced('too_late'),
    );
  }
}
