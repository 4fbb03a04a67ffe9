import type { DeliveryWork } from './delivery-work.ts';
import type { Strays } from './find-strays.ts';
import type { IntakeParts } from './intake-parts.ts';
import { copyForLane } from './move-records.ts';

/** Moves slots to the lanes that are theirs. */
export function moveStrays(
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
