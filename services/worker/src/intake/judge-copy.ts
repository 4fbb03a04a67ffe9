import { decodeOrigin, type Headers, moverOf, RecordFormatError } from '@posthorn/contracts';
import type { AssignedAt } from '@posthorn/kafka';

/** A lane's two topics as they were taken over; null for one that is not ours. */
export interface TakenOver {
  readonly deliveries: Pick<AssignedAt, 'isFinished'> | null;
  readonly overflow: Pick<AssignedAt, 'isFinished' | 'end'>;
  /** Of this assignment. */
  readonly mover: string;
}

/**
 * Whether a copy is one too many. A crash between a move and its commit leaves the original unfinished and the copy in
 * the log. An original that was unfinished when the lane was taken over is offered to us or moved by us again, so a copy
 * of it that we did not make is completed, whichever of the two is read first, and however late the copy came. One that
 * came after the take-over was given up by who made it, and its original left to those who had the lane since then.
 */
export function isDouble(
  { headers, offset }: { headers: Headers; offset: number },
  lane: TakenOver,
): boolean {
  if (headers.ph_origin === undefined) return false;
  const mover = moverOf(headers);
  if (offset >= lane.overflow.end && mover !== undefined) return mover !== lane.mover;
  const origin = readOrigin(headers);
  if (origin === null) return false;
  const topic = origin.topic === 'overflow' ? lane.overflow : lane.deliveries;
  return topic !== null && !topic.isFinished(origin.offset);
}

/** A copy whose origin cannot be read is tried: it may be all there is. */
function readOrigin(headers: Headers) {
  try {
    return decodeOrigin(headers);
  } catch (error) {
    if (error instanceof RecordFormatError) return null;
    throw error;
  }
}
