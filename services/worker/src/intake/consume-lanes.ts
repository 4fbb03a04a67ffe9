import type { TenantId } from '@posthorn/contracts';
import type { ConsumerOptions, ConsumerStats, PartitionStats } from '@posthorn/kafka';
import type { Lane } from '../schedule/lane.ts';
import { type IntakeParts, LaneIntake } from './lane-intake.ts';
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
  stats(): OverflowStats;
}

/** So long a lane that was taken over waits at most for its held slots to be read. */
const HELD_UNREAD_MS = 500;
/** Above this many of 4,096 characters the newest records of the largest tenants make way in the map of `deliveries`. */
const RELIEVE_ABOVE_CHARS = 2_400;
const RELIEF_SLOTS = 64;

export function consumeLanes(parts: IntakeParts): LaneConsumer {
  const { scheduler, topics, reader } = parts;
  const lanes = new Map<number, LaneIntake>();
  /** Those with held slots that were not read, and until when they wait for that. */
  const waiting = new Map<LaneIntake, number>();
  const overflowOf = (lane: Lane) => {
    const overflow = lanes.get(lane.number)?.overflow;
    return overflow?.lane === lane ? overflow : undefined;
  };

  function laneOf(number: number): LaneIntake {
    let lane = lanes.get(number);
    if (lane === undefined) {
      lane = new LaneIntake(number, scheduler);
      lanes.set(number, lane);
    }
    return lane;
  }

  function endWaits(): void {
    const nowMs = parts.clock.monotonicMs();
    for (const [lane, untilMs] of waiting) {
      if (lane.hasHeldUnread && nowMs < untilMs) continue;
      waiting.delete(lane);
      scheduler.recheckCaps(nowMs);
    }
  }

  function tickLane(lane: LaneIntake, statsOf: StatsOf): void {
    if (lane.deliveries === null && lane.overflow === null) {
      lanes.delete(lane.number);
      return;
    }
    const deliveries = statsOf(topics.deliveries, lane.number);
    const overflow = statsOf(topics.overflow, lane.number);
    lane.heldSlots.sweep();
    lane.overflow?.tick(overflow, (deliveries?.held ?? 0) + (overflow?.held ?? 0));
    if ((deliveries?.mapChars ?? 0) > RELIEVE_ABOVE_CHARS) relieve(lane);
  }

  /** The tenant with most of the lane has most to do with the size of its map. */
  function relieve({ number, deliveries }: LaneIntake): void {
    if (deliveries === null) return;
    let most = { tenantId: '', queued: 0 };
    for (const { tenantId, lane } of scheduler.loads()) {
      if (lane !== number) continue;
      const queued = scheduler.queuedOf(deliveries.lane, tenantId);
      if (queued > most.queued) most = { tenantId, queued };
    }
    if (most.queued > 0) deliveries.relieve(most.tenantId, RELIEF_SLOTS);
  }

  function isLoaded(number: number, tenantId: TenantId): boolean {
    for (const load of scheduler.loads()) if (load.lane === number && load.tenantId === tenantId) return true;
    return false;
  }

  return {
    slotCount: ({ headers }) => countSlots(headers.ph_slots),
    assigned(topic, partition, at) {
      const lane = laneOf(partition);
      if (at.heldEnd > at.start) waiting.set(lane, parts.clock.monotonicMs() + HELD_UNREAD_MS);
      if (topic === topics.overflow) {
        lane.overflow = new OverflowIntake(parts, lane, at);
        return lane.overflow;
      }
      lane.deliveries = new DeliveriesIntake(parts, lane, at);
      return lane.deliveries;
    },
    onRoom(lane) {
      const overflow = overflowOf(lane);
      if (overflow === undefined) reader.resume(topics.deliveries, lane.number);
      else overflow.hasRoom();
    },
    onMoveRoom() {
      for (const number of lanes.keys()) reader.resume(topics.deliveries, number);
    },
    onTenantRoom: (lane, tenantId) => overflowOf(lane)?.tenantHasRoom(tenantId),
    mayStartIn(number) {
      if (waiting.size === 0) return true;
      const lane = lanes.get(number);
      return lane === undefined || !waiting.has(lane) || !lane.hasHeldUnread;
    },
    tick(stats) {
      if (!reader.mayBegin()) return;
      endWaits();
      const statsOf = byPlace(stats);
      for (const lane of [...lanes.values()]) tickLane(lane, statsOf);
    },
    isDrained(number, tenantId, stats) {
      const lane = lanes.get(number);
      if (lane?.overflow?.isTakenOver !== true || lane.deliveries === null) return false;
      const statsOf = byPlace(stats);
      const deliveries = statsOf(topics.deliveries, number);
      const isRead =
        deliveries?.lag === 0 && !deliveries.paused && statsOf(topics.overflow, number)?.lag === 0;
      return isRead && !lane.overflow.backlog.has(tenantId) && !isLoaded(number, tenantId);
    },
    stats() {
      const stats = { tenants: 0, runs: 0, heldSlots: 0, takingOver: 0 };
      for (const { overflow, heldSlots } of lanes.values()) {
        stats.tenants += overflow?.backlog.tenants ?? 0;
        stats.runs += overflow?.backlog.runs ?? 0;
        stats.takingOver += overflow?.isTakenOver === false ? 1 : 0;
        stats.heldSlots += heldSlots.size;
      }
      return stats;
    },
  };
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
