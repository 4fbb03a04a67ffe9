import {
  encodeMover,
  encodeOrigin,
  encodePlaced,
  type Headers,
  type OriginMeta,
  withoutOrigin,
} from '@posthorn/contracts';
import type { OutboundRecord, ProduceAck } from '@posthorn/kafka';
import { createIdleWait } from '../await-idle.ts';
import type { Acknowledger } from '../settle/acknowledge.ts';
import type { DeliveryWork } from './delivery-work.ts';
import type { Repeats } from './repeats.ts';

/** Why a record moves: no room for its tenant, waited for too long, on no lane of its tenant, too large a map. */
export type MoveReason = 'overflow' | 'rotated' | 'stray' | 'relief';

/** Slots of a record that leave it for another one. */
export interface Move {
  readonly work: DeliveryWork;
  readonly indexes: readonly number[];
  readonly to: OutboundRecord;
  /** The copy is in the log; null: it was given up, as its lane was lost. */
  ended?(ack: ProduceAck | null): void;
}

export interface MoverOptions {
  readonly maxMoves: number;
  readonly acknowledger: Pick<Acknowledger, 'untilAcknowledged'>;
  readonly repeats: Pick<Repeats, 'forget'>;
  /** Inside the fence. */
  produce(record: OutboundRecord): Promise<ProduceAck>;
  /** There was no room for a move, and there is again. */
  onRoom(): void;
}

/**
 * Moves untouched records elsewhere: a copy is produced, and once it is acknowledged the original's slots are complete.
 * Until then the original is unfinished, so a crash in between leaves both: whoever reads the copy finds its origin.
 */
export interface Mover {
  /** Whether another move may begin. Where not, `onRoom` will tell. */
  hasRoom(): boolean;
  start(move: Move): void;
  readonly underWay: number;
  whenIdle(timeoutMs: number): Promise<boolean>;
}

/** Payloads on their way, all lanes together; one move may go over it. */
const MAX_MOVE_BYTES = 16 * 1024 * 1024;
const ROOM_SHARE = 0.5;

export function createMover(options: MoverOptions): Mover {
  const { acknowledger, maxMoves, repeats } = options;
  const idle = createIdleWait(() => underWay);
  let underWay = 0;
  let bytes = 0;
  let refused = false;

  function end({ work }: Move): void {
    underWay -= 1;
    bytes -= work.bytes;
    idle.look();
    if (!refused || underWay > maxMoves * ROOM_SHARE || bytes > MAX_MOVE_BYTES * ROOM_SHARE) return;
    refused = false;
    options.onRoom();
  }

  async function carry(move: Move): Promise<void> {
    const { work, indexes, to } = move;
    let ack: ProduceAck | null = null;
    const write = async () => {
      ack = await options.produce(to);
    };
    const moved = await acknowledger.untilAcknowledged(write, () => work.record.live);
    if (moved) for (const index of indexes) work.record.complete(index);
    move.ended?.(moved ? ack : null);
    end(move);
  }

  return {
    hasRoom() {
      if (underWay < maxMoves && bytes < MAX_MOVE_BYTES) return true;
      refused = true;
      return false;
    },
    start(move) {
      underWay += 1;
      bytes += move.work.bytes;
      // Before it goes out: it may be back before the acknowledgement is.
      for (const index of move.indexes) repeats.forget(move.work, index);
      void carry(move);
    },
    get underWay() {
      return underWay;
    },
    whenIdle: idle.whenIdle,
  };
}

/** A copy with the slots that are left of a record, for the overflow of its lane. */
export function copyForOverflow(
  topic: string,
  work: DeliveryWork,
  indexes: readonly number[],
  from: { readonly topic: OriginMeta['topic']; readonly mover: string },
): OutboundRecord {
  const { record } = work;
  const headers = {
    ...headersFor(work, indexes),
    ...encodeOrigin({ topic: from.topic, offset: record.offset, slots: indexes }),
    ...encodeMover(from.mover),
  };
  return outbound(work, { topic, partition: record.partition, headers });
}

/** The same for another lane. */
export function copyForLane(
  topic: string,
  work: DeliveryWork,
  indexes: readonly number[],
  to: { readonly lane: number; readonly revision: number },
): OutboundRecord {
  const headers = {
    ...withoutOrigin(headersFor(work, indexes)),
    ph_lane: String(to.lane),
    ...encodePlaced(to.revision),
  };
  return outbound(work, { topic, partition: to.lane, headers });
}

function headersFor({ headers, endpointIds }: DeliveryWork, indexes: readonly number[]): Headers {
  return { ...headers, ph_slots: indexes.map((index) => endpointIds[index]).join(',') };
}

function outbound(
  { tenantId, payload }: DeliveryWork,
  to: Pick<OutboundRecord, 'topic' | 'partition' | 'headers'>,
): OutboundRecord {
  return { ...to, key: tenantId, value: payload };
}
