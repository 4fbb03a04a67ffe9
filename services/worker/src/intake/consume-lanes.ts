import type { TenantId } from '@posthorn/contracts';
import type {
  AssignedAt,
  ConsumerOptions,
  ConsumerStats,
  PartitionHandler,
  PartitionStats,
  TrackedRecord,
} from '@posthorn/kafka';
import type { Lane } from '../schedule/lane.ts';
import type { IntakeParts } from './intake-parts.ts';
import { LaneIntake, type OverflowSide } from './lane-intake.ts';
import { DeliveriesIntake } from './read-deliveries.ts';
import { OverflowIntake } from './read-overflow.ts';

export interface OverflowStats {
  /** Tenants with records in the overflow, and the runs of offsets kept of them. */
  readonly tenants: number;
  readonly runs: number;
  readonly heldSlots: number;
  /** Lanes whose overflow has not been read to where it was when they came. */
  readonly takingOver: number;
}

/** The lanes of this worker: hands the slots of their records to the scheduler, and returns at once. */
export interface LaneConsumer extends Required<Pick<ConsumerOptions, 'assigned' | 'slotCount'>> {
  /** A lane that refused a record has room, or all that waited for moves have. */
  onRoom(lane: Lane): void;
  onMoveRoom(): void;
  onTenantRoom(lane: Lane, tenantId: string): void;
  /** False while a lane's last owner may be at slots that were not read, which would count against caps. */
  mayStartIn(lane: number): boolean;
  /** Ten times a second. */
  tick(stats: ConsumerStats): void;
  /** Whether all of a lane of ours has been read, and nothing of a tenant is left in it. */
  isDrained(lane: number, tenantId: TenantId, stats: ConsumerStats): boolean;
  /** Records that were passed over, by tenant, once for each lane. */
  passedOver(): Iterable<readonly [TenantId, number]>;
  stats(): OverflowStats;
}

/** So long a lane that was taken over waits at most for its held slots to be read. */
const HELD_UNREAD_MS = 500;
/** Above this many of 4,096 characters the newest records of the largest tenants make way in the map of `deliveries`. */
const RELIEVE_ABOVE_CHARS = 2_400;
const RELIEF_SLOTS = 64;

export function consumeLanes(parts: IntakeParts): LaneConsumer {
  return new LanesOfWorker(parts);
}

class LanesOfWorker implements LaneConsumer {
  readonly #parts: IntakeParts;
  readonly #lanes = new Map<number, LaneIntake>();
  /** Those with held slots that were not read, and until when they wait for that. */
  readonly #waiting = new Map<LaneIntake, number>();

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  slotCount({ headers }: Pick<TrackedRecord, 'headers'>): number {
    return countSlots(headers.ph_slots);
  }

  assigned(topic: string, partition: number, at: AssignedAt): PartitionHandler {
    const lane = this.#laneOf(partition);
    if (at.heldEnd > at.start) this.#waiting.set(lane, this.#parts.clock.monotonicMs() + HELD_UNREAD_MS);
    if (topic === this.#parts.topics.overflow) {
      lane.overflow = new OverflowIntake(this.#parts, lane, at);
      return lane.overflow;
    }
    lane.deliveries = new DeliveriesIntake(this.#parts, lane, at);
    return lane.deliveries;
  }

  onRoom(lane: Lane): void {
    const { reader, topics } = this.#parts;
    const overflow = this.#overflowOf(lane);
    if (overflow === undefined) reader.resume(topics.deliveries, lane.number);
    else overflow.hasRoom();
  }

  onMoveRoom(): void {
    const { reader, topics } = this.#parts;
    for (const number of this.#lanes.keys()) reader.resume(topics.deliveries, number);
  }

  onTenantRoom(lane: Lane, tenantId: string): void {
    this.#overflowOf(lane)?.tenantHasRoom(tenantId);
  }

  mayStartIn(number: number): boolean {
    if (this.#waiting.size === 0) return true;
    const lane = this.#lanes.get(number);
    return lane === undefined || !this.#waiting.has(lane) || !lane.hasHeldUnread;
  }

  tick(stats: ConsumerStats): void {
    if (!this.#parts.reader.mayBegin()) return;
    this.#endWaits();
    const statsOf = byPlace(stats);
    for (const lane of [...this.#lanes.values()]) this.#tickLane(lane, statsOf);
  }

  isDrained(number: number, tenantId: TenantId, stats: ConsumerStats): boolean {
    const lane = this.#lanes.get(number);
    if (lane?.overflow?.isTakenOver !== true || lane.deliveries === null) return false;
    const { topics } = this.#parts;
    const statsOf = byPlace(stats);
    const deliveries = statsOf(topics.deliveries, number);
    const isRead = deliveries?.lag === 0 && !deliveries.paused && statsOf(topics.overflow, number)?.lag === 0;
    return isRead && !lane.overflow.backlog.has(tenantId) && !this.#isLoaded(number, tenantId);
  }

  *passedOver(): Generator<readonly [TenantId, number], void> {
    for (const { overflow } of this.#lanes.values())
      if (overflow !== null) yield* overflow.backlog.passedOver();
  }

  stats(): OverflowStats {
    const stats = { tenants: 0, runs: 0, heldSlots: 0, takingOver: 0 };
    for (const { overflow, heldSlots } of this.#lanes.values()) {
      stats.tenants += overflow?.backlog.tenants ?? 0;
      stats.runs += overflow?.backlog.runs ?? 0;
      stats.takingOver += overflow?.isTakenOver === false ? 1 : 0;
      stats.heldSlots += heldSlots.size;
    }
    return stats;
  }

  #laneOf(number: number): LaneIntake {
    let lane = this.#lanes.get(number);
    if (lane === undefined) {
      lane = new LaneIntake(number, this.#parts.scheduler);
      this.#lanes.set(number, lane);
    }
    return lane;
  }

  /** Undefined for a lane that is not the overflow's, or not ours any more. */
  #overflowOf(lane: Lane): OverflowSide | undefined {
    const overflow = this.#lanes.get(lane.number)?.overflow;
    return overflow?.lane === lane ? overflow : undefined;
  }

  #endWaits(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const [lane, untilMs] of this.#waiting) {
      if (lane.hasHeldUnread && nowMs < untilMs) continue;
      this.#waiting.delete(lane);
      this.#parts.scheduler.recheckCaps(nowMs);
    }
  }

  #tickLane(lane: LaneIntake, statsOf: StatsOf): void {
    if (lane.deliveries === null && lane.overflow === null) {
      this.#lanes.delete(lane.number);
      return;
    }
    const { topics } = this.#parts;
    const deliveries = statsOf(topics.deliveries, lane.number);
    const overflow = statsOf(topics.overflow, lane.number);
    lane.heldSlots.sweep();
    lane.overflow?.tick(overflow, (deliveries?.held ?? 0) + (overflow?.held ?? 0));
    if ((deliveries?.mapChars ?? 0) > RELIEVE_ABOVE_CHARS) this.#relieve(lane);
  }

  /** The tenant with most of the lane has most to do with the size of its map. */
  #relieve({ number, deliveries }: LaneIntake): void {
    if (deliveries === null) return;
    const { scheduler } = this.#parts;
    let most = { tenantId: '', queued: 0 };
    for (const { tenantId, lane } of scheduler.loads()) {
      if (lane !== number) continue;
      const queued = scheduler.queuedOf(deliveries.lane, tenantId);
      if (queued > most.queued) most = { tenantId, queued };
    }
    if (most.queued > 0) deliveries.relieve(most.tenantId, RELIEF_SLOTS);
  }

  #isLoaded(number: number, tenantId: TenantId): boolean {
    for (const load of this.#parts.scheduler.loads()) {
      if (load.lane === number && load.tenantId === tenantId) return true;
    }
    return false;
  }
}

type StatsOf = (topic: string, partition: number) => PartitionStats | undefined;

function byPlace({ partitions }: ConsumerStats): StatsOf {
  const stats = new Map(partitions.map((each) => [`${each.topic}/${each.partition}`, each]));
  return (topic, partition) => stats.get(`${topic}/${partition}`);
}

function countSlots(text = ''): number {
  let slots = 1;
  for (let at = text.indexOf(','); at !== -1; at = text.indexOf(',', at + 1)) slots += 1;
  return slots;
}
