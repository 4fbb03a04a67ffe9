import { RecordFormatError, type SettledMeta } from '@posthorn/contracts';
import type { TrackedRecord } from '@posthorn/kafka';
import type { Clock, Logger } from '@posthorn/runtime';
import type { Lane } from '../schedule/lane.ts';
import type { Scheduler } from '../schedule/scheduler.ts';
import { type DeliveryWork, decodeWork } from './delivery-work.ts';
import type { HeldSlots } from './held-slots.ts';
import type { Repeats } from './repeats.ts';

/** One of the two partitions of a lane. */
export interface LaneSide {
  readonly topic: SettledMeta['topic'];
  readonly source: number;
  readonly lane: Lane;
  readonly heldSlots: HeldSlots;
}

/** A record whose slots were looked at. Nothing of that shows yet: the record may still be refused. */
export interface Opened {
  readonly record: TrackedRecord;
  readonly work: DeliveryWork;
  readonly free: readonly number[];
  /** Slots at which an earlier owner may still be. */
  readonly held: readonly number[];
  /** Slots that are finished elsewhere. */
  readonly finished: readonly number[];
  readonly repeats: readonly number[];
}

export interface TakeInOptions {
  readonly scheduler: Pick<Scheduler<DeliveryWork>, 'offer' | 'hold'>;
  readonly repeats: Pick<Repeats, 'isRepeat' | 'takeIn'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly log: Logger;
  /** Something was queued. */
  onQueued(): void;
  /** A record could not be read and was passed over. */
  onSetAside(): void;
  /** Second copies were completed without a request. */
  onRepeats(slots: number): void;
}

export interface TakeIn {
  /** Null for a record of no known form: it is named in the log by its offset, completed, and the lane moves on. */
  open(side: LaneSide, record: TrackedRecord): Opened | null;
  /** Completes what needs no request; false when nothing else is left. From here on the record is not refused. */
  accept(side: LaneSide, opened: Opened): boolean;
  /** Hands what is left to the scheduler. False: there is no room, and nothing was done. */
  queue(side: LaneSide, opened: Opened): boolean;
  setAside(record: TrackedRecord, error: RecordFormatError): void;
}

export function createTakeIn(options: TakeInOptions): TakeIn {
  const { scheduler, repeats, clock, log } = options;

  function setAside(record: TrackedRecord, { message }: RecordFormatError): void {
    const { topic, partition, offset } = record;
    log.error({ topic, partition, offset, reason: message }, 'record set aside');
    options.onSetAside();
    record.complete();
  }

  function read(side: LaneSide, record: TrackedRecord): DeliveryWork | null {
    try {
      return decodeWork(record, side.source);
    } catch (error) {
      if (!(error instanceof RecordFormatError)) throw error;
      setAside(record, error);
      return null;
    }
  }

  function accept(side: LaneSide, opened: Opened): boolean {
    const { record, finished, repeats: copies } = opened;
    for (const slot of finished) {
      record.complete(slot);
      side.heldSlots.completed(side.topic, record.offset, slot);
    }
    for (const slot of copies) record.complete(slot);
    if (copies.length > 0) options.onRepeats(copies.length);
    return opened.free.length > 0 || opened.held.length > 0;
  }

  function hold(side: LaneSide, { record, work, held }: Opened): void {
    for (const index of held) {
      const untilMs = clock.monotonicMs() + record.heldForMs(index);
      side.heldSlots.hold(side.topic, scheduler.hold(side.lane, work, index, untilMs));
      repeats.takeIn(work, index);
    }
  }

  return {
    setAside,
    accept,
    open(side, record) {
      const work = read(side, record);
      return work === null ? null : lookAt(side, record, work, repeats);
    },
    queue(side, opened) {
      const { work, free } = opened;
      if (free.length > 0 && !scheduler.offer(side.lane, work, free)) return false;
      for (const index of free) repeats.takeIn(work, index);
      hold(side, opened);
      accept(side, opened);
      options.onQueued();
      return true;
    },
  };
}

const NONE: readonly number[] = [];

/** Slots of most records are all free: the other lists are made only where there is something for them. */
function lookAt(
  { heldSlots, topic }: LaneSide,
  record: TrackedRecord,
  work: DeliveryWork,
  repeats: Pick<Repeats, 'isRepeat'>,
): Opened {
  const opened = { record, work, free: [] as number[], held: NONE, finished: NONE, repeats: NONE };
  for (let slot = 0; slot < record.slots; slot++) {
    if (heldSlots.isAnnounced(topic, record.offset, slot)) opened.finished = [...opened.finished, slot];
    else if (record.isDone(slot)) continue;
    else if (repeats.isRepeat(work, slot) && !heldSlots.isBack(work, slot))
      opened.repeats = [...opened.repeats, slot];
    else if (record.heldForMs(slot) > 0) opened.held = [...opened.held, slot];
    else opened.free.push(slot);
  }
  return opened;
}
