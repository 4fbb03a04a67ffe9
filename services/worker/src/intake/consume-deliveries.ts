import { RecordFormatError } from '@posthorn/contracts';
import type { ConsumerOptions, PartitionHandler, TrackedRecord } from '@posthorn/kafka';
import type { Logger } from '@posthorn/runtime';
import type { Lane } from '../schedule/lane.ts';
import type { Scheduler } from '../schedule/scheduler.ts';
import { type DeliveryWork, decodeWork } from './delivery-work.ts';

export interface IntakeOptions {
  readonly scheduler: Scheduler<DeliveryWork>;
  readonly log: Logger;
  /** Something was queued. */
  onQueued(): void;
  /** A record could not be read and was passed over. */
  onSetAside(): void;
}

/** Hands the slots of every deliveries record to the scheduler, and returns at once. */
export function consumeDeliveries(
  options: IntakeOptions,
): Required<Pick<ConsumerOptions, 'assigned' | 'slotCount'>> {
  return {
    slotCount: ({ headers }) => countSlots(headers.ph_slots),
    assigned: (_topic, partition) => handleLane(options, options.scheduler.openLane(partition)),
  };
}

function handleLane(options: IntakeOptions, lane: Lane): PartitionHandler {
  const { scheduler } = options;
  return {
    offer(record) {
      const work = readWork(record, options);
      if (work === null) {
        record.complete();
        return true;
      }
      const open = unfinishedSlots(record);
      if (open.length === 0) return true;
      if (!scheduler.offer(lane, work, open)) return false;
      options.onQueued();
      return true;
    },
    lost: () => scheduler.loseLane(lane),
  };
}

/** Null for a record of no known form: it is named in the log by its offset, and the lane moves on. */
function readWork(record: TrackedRecord, options: IntakeOptions): DeliveryWork | null {
  try {
    return decodeWork(record);
  } catch (error) {
    if (!(error instanceof RecordFormatError)) throw error;
    const { topic, partition, offset } = record;
    options.log.error({ topic, partition, offset, reason: error.message }, 'record set aside');
    options.onSetAside();
    return null;
  }
}

function unfinishedSlots(record: TrackedRecord): number[] {
  const open: number[] = [];
  for (let slot = 0; slot < record.slots; slot++) if (!record.isDone(slot)) open.push(slot);
  return open;
}

const COMMA = 44;

function countSlots(text: string | undefined): number {
  let slots = 1;
  if (text === undefined) return slots;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) === COMMA) slots += 1;
  return slots;
}
