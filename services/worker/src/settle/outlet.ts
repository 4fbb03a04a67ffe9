import type { JournalEntry } from '@posthorn/contracts';
import type { OutboundRecord } from '@posthorn/kafka';
import type { DeliverySlot } from '../intake/delivery-work.ts';
import type { WorkerMetrics } from '../metrics.ts';
import type { Acknowledger } from './acknowledge.ts';
import { buildSettled, type RecordLayout } from './build-records.ts';

export interface OutletOptions {
  readonly layout: RecordLayout;
  readonly metrics: Pick<WorkerMetrics, 'announced'>;
  readonly acknowledger: Pick<Acknowledger, 'untilAcknowledged'>;
  /** Inside the fence. Resolves when the record is acknowledged by all in-sync replicas. */
  produce(record: OutboundRecord): Promise<unknown>;
  /** For a slot of a lane that was handed over: outside the fence, within the time the new owner waits for us. */
  produceHeld(record: OutboundRecord): Promise<unknown>;
  /** Resolves when the batch that holds the entry is acknowledged. */
  journal(entry: JournalEntry): Promise<void>;
}

/** All that leaves the worker when a slot is settled. */
export interface Outlet {
  /** False when the slot became another worker's before the record was acknowledged. */
  publish(slot: DeliverySlot, record: OutboundRecord): Promise<boolean>;
  write(entry: JournalEntry): Promise<boolean>;
  /** The slot of a lane that is not ours any more needs nothing more: whoever has the lane now is told. */
  announce(slot: DeliverySlot): Promise<void>;
}

/** Whether nobody else will try this slot: its lane is ours, or was handed over with the slot marked as held by us. */
export function isOurs(slot: DeliverySlot): boolean {
  const { record } = slot.work;
  return record.live || record.mayStillSettle(slot.index);
}

export function createOutlet(options: OutletOptions): Outlet {
  const { acknowledger, layout, metrics } = options;

  async function announce(slot: DeliverySlot): Promise<void> {
    const isHeld = () => slot.work.record.mayStillSettle(slot.index);
    if (!isHeld()) return;
    const control = buildSettled(layout, slot);
    const said = await acknowledger.untilAcknowledged(() => options.produceHeld(control), isHeld);
    metrics.announced(said ? 'in_time' : 'too_late');
  }

  return {
    async publish(slot, record) {
      const isStillOurs = () => isOurs(slot);
      // The lane may be handed over while the record waits to be acknowledged: each try takes the way of its moment.
      const produce = () => (slot.work.record.live ? options.produce(record) : options.produceHeld(record));
      return isStillOurs() && acknowledger.untilAcknowledged(produce, isStillOurs);
    },
    write: (entry) => acknowledger.untilAcknowledged(() => options.journal(entry)),
    announce,
  };
}
