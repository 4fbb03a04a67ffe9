import type { ConsumerStats, OutboundRecord, ProduceAck } from '@posthorn/kafka';
import { createLogger } from '@posthorn/runtime';
import type { TenantConfig } from '@posthorn/tenant-config';
import { createFakeClock } from '@posthorn/testkit';
import { consumeLanes, type LaneConsumer } from '../src/intake/consume-lanes.ts';
import type { DeliverySlot, DeliveryWork } from '../src/intake/delivery-work.ts';
import type { IntakeParts } from '../src/intake/intake-parts.ts';
import { createMover } from '../src/intake/move-records.ts';
import { createRepeats } from '../src/intake/repeats.ts';
import { createTakeIn } from '../src/intake/take-in.ts';
import { createScheduler, type Scheduler } from '../src/schedule/scheduler.ts';
import { LANE } from './factories.ts';
import { type FakeLane, FakePartition } from './fake-partition.ts';

const ATTEMPT_TIMEOUT_MS = 15_000;

export interface OwnerOptions {
  readonly cap?: number;
  readonly maxLaneSlots?: number;
  readonly maxMoves?: number;
  readonly maxRuns?: number;
  readonly repeatsKeptMs?: number;
  /** Moves reach the log only when they are acknowledged. */
  readonly isLate?: boolean;
  readonly tenant?: TenantConfig;
  readonly clock?: ReturnType<typeof createFakeClock>;
}

export interface Owner {
  readonly clock: ReturnType<typeof createFakeClock>;
  readonly intake: LaneConsumer;
  readonly scheduler: Scheduler<DeliveryWork>;
  readonly deliveries: FakePartition;
  readonly overflow: FakePartition;
  /** Moves that were produced and not acknowledged. */
  readonly produced: { acknowledge(): void; lose(): void }[];
  readonly held: OutboundRecord[];
  readonly inFlight: DeliverySlot[];
  readonly counts: { queued: number; setAside: number; repeats: number; moves: Map<string, number> };
  readonly lines: Record<string, unknown>[];
  /** Begins the next request, if there is one. */
  begin(): DeliverySlot | null;
  /** The request of a slot ends, and all that came of it is acknowledged. */
  end(slot: DeliverySlot): void;
  tick(): void;
  stats(): ConsumerStats;
  commit(): void;
  /** Reads, sends, answers and acknowledges until nothing is left to do; returns what was sent. */
  drain(): Promise<DeliverySlot[]>;
}

/** A worker that owns the lane from now on, with the real intake and scheduler. */
export function ownLane(lane: FakeLane, options: OwnerOptions = {}): Owner {
  const clock = options.clock ?? createFakeClock();
  const deliveries = new FakePartition(lane.deliveries, clock);
  const overflow = new FakePartition(lane.overflow, clock);
  const partitions = [deliveries, overflow];
  const partitionOf = (topic: string) => (topic === 'overflow' ? overflow : deliveries);
  const produced: Owner['produced'] = [];
  const inFlight: DeliverySlot[] = [];
  const held: OutboundRecord[] = [];
  const lines: Record<string, unknown>[] = [];
  const counts = { queued: 0, setAside: 0, repeats: 0, moves: new Map<string, number>() };
  const log = createLogger('worker', 'info', { write: (line: string) => void lines.push(JSON.parse(line)) });

  const scheduler = createScheduler<DeliveryWork>({
    maxInFlight: 1_000,
    maxUnsettled: 1_000,
    fastSharePercent: 0,
    maxHostInFlight: 1_000,
    maxEndpointInFlight: 1_000,
    slowEndpointSharePercent: 100,
    attemptTimeoutMs: ATTEMPT_TIMEOUT_MS,
    laneBounds: {
      maxSlots: options.maxLaneSlots ?? 1_000,
      maxBytes: 100_000_000,
      tenantSharePercent: 25,
    },
    capOf: (_tenant, number) => (intake.mayStartIn(number) ? (options.cap ?? 10) : 0),
    wholeCapOf: () => Number.POSITIVE_INFINITY,
    limitsOf: () => ({ maxConcurrency: null, maxPerSec: null, host: null }),
    onRoom: (each) => intake.onRoom(each),
    onTenantRoom: (each, tenantId) => intake.onTenantRoom(each, tenantId),
  });
  const repeats = createRepeats({ clock, maxRepeats: 100_000, keptMs: options.repeatsKeptMs ?? 180_000 });
  const mover = createMover({
    maxMoves: options.maxMoves ?? 256,
    repeats,
    acknowledger: {
      untilAcknowledged: (write) =>
        write().then(
          () => true,
          () => false,
        ),
    },
    produce: (record) => produce(lane, record, { produced, isLate: options.isLate ?? false }),
    onRoom: () => intake.onMoveRoom(),
  });
  const parts: IntakeParts = {
    scheduler,
    repeats,
    mover,
    takeIn: createTakeIn({
      scheduler,
      repeats,
      clock,
      log,
      onQueued: () => void counts.queued++,
      onSetAside: () => void counts.setAside++,
      onRepeats(slots) {
        counts.repeats += slots;
      },
    }),
    topics: { deliveries: 'deliveries', overflow: 'overflow' },
    configs: { peek: () => options.tenant },
    reader: {
      resume(topic) {
        partitionOf(topic).refused = false;
      },
      park(topic, _lane, parked) {
        partitionOf(topic).parked = parked;
      },
      reread: (topic, _lane, offset) => partitionOf(topic).reread(offset),
      mayBegin: () => true,
    },
    clock,
    log,
    maxRuns: options.maxRuns ?? 1_000,
    metrics: {
      moved: (why) => void counts.moves.set(why, (counts.moves.get(why) ?? 0) + 1),
      passedOver: () => {},
      announced: () => {},
    },
    nameAssignment: () => `owner.${lane.owners++}`,
    produceHeld: async (record) => void held.push(record),
  };
  const intake: LaneConsumer = consumeLanes(parts);
  for (const each of partitions) each.handler = intake.assigned(each.log.topic, LANE, each.at());

  const owner: Owner = {
    clock,
    intake,
    scheduler,
    deliveries,
    overflow,
    produced,
    held,
    inFlight,
    counts,
    lines,
    begin() {
      const slot = scheduler.next(clock.monotonicMs());
      if (slot === null) return null;
      slot.deadlineMs = clock.monotonicMs() + 15_000;
      inFlight.push(slot);
      return slot;
    },
    end(slot) {
      inFlight.splice(inFlight.indexOf(slot), 1);
      scheduler.release(slot, 10);
      repeats.settled(slot.work, slot.index, true);
      slot.work.record.complete(slot.index);
      scheduler.settle(slot);
    },
    tick: () => intake.tick(owner.stats()),
    stats: () => statsOf(partitions),
    commit() {
      for (const each of partitions) each.commit();
    },
    drain: () => drain(owner),
  };
  return owner;
}

async function drain(owner: Owner): Promise<DeliverySlot[]> {
  const sent: DeliverySlot[] = [];
  for (let idle = 0; idle < 30; idle++) {
    const read = owner.deliveries.pump(100) + owner.overflow.pump(100);
    for (let slot = owner.begin(); slot !== null; slot = owner.begin()) {
      sent.push(slot);
      idle = 0;
    }
    for (const slot of [...owner.inFlight]) owner.end(slot);
    for (const move of owner.produced.splice(0)) move.acknowledge();
    await settled();
    owner.clock.advance(100);
    owner.tick();
    if (read > 0) idle = 0;
  }
  return sent;
}

/** Promises that are kept by now have been followed up. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

const statsOf = (partitions: readonly FakePartition[]): ConsumerStats => ({
  generation: 1,
  rebalances: 1,
  commits: 0,
  commitFailures: 0,
  lastHeartbeatAgeMs: 0,
  partitions: partitions.map((each) => each.stats()),
});

/** In the log at once, or when it is acknowledged; that comes when the test says so, if it does. */
function produce(
  lane: FakeLane,
  record: OutboundRecord,
  { produced, isLate }: { produced: Owner['produced']; isLate: boolean },
): Promise<ProduceAck> {
  const { promise, resolve, reject } = Promise.withResolvers<ProduceAck>();
  const append = () => {
    if (record.topic === 'overflow') return lane.overflow.append(record.headers, record.value!);
    return lane.elsewhere.push(record) - 1;
  };
  const appended = isLate ? null : append();
  produced.push({
    acknowledge: () =>
      resolve({ partition: record.partition, offset: appended ?? append(), appendTimeMs: null }),
    lose: () => reject(new Error('no acknowledgement')),
  });
  return promise;
}
