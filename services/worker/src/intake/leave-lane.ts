import type { PartitionHandler, SlotPlace } from '@posthorn/kafka';
import type { Lane } from '../schedule/lane.ts';
import { settledRecord } from '../settle/build-records.ts';
import type { IntakeParts } from './intake-parts.ts';
import type { LaneIntake, SideIntake } from './lane-intake.ts';

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

/** A partition is not ours any more; `settledSince` the last commit could say it. */
export function leaveLane(
  parts: IntakeParts,
  both: LaneIntake,
  side: SideIntake,
  settledSince: readonly SlotPlace[],
): void {
  parts.scheduler.loseLane(side.lane);
  parts.repeats.lose(side.source);
  both.forget(side);
  for (const place of settledSince) announce(parts, side, place);
}

/** Tells the new owner. */
function announce(parts: IntakeParts, { topic, lane }: SideIntake, place: SlotPlace): void {
  const to = { topic: parts.topics.overflow, partition: lane.number, key: null };
  parts.produceHeld(settledRecord(to, { topic, ...place })).then(
    () => parts.metrics.announced('in_time'),
    () => parts.metrics.announced('too_late'),
  );
}
