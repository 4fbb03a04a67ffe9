import type { SettledMeta } from '@posthorn/contracts';
import type { TrackedRecord } from '@posthorn/kafka';
import type { Scheduler } from '../schedule/scheduler.ts';
import type { DeliverySlot, DeliveryWork } from './delivery-work.ts';

/** A record that says that an earlier owner of the lane has settled a slot. */
type Announcement = Pick<TrackedRecord, 'complete'>;

/**
 * The slots of one lane at which an earlier owner may still be, and what he has announced of slots that were not read
 * yet. An announcement is completed only when its slot is, so that it is there as long as it says something new.
 */
export class HeldSlots {
  readonly #scheduler: Pick<Scheduler<DeliveryWork>, 'settleHeld'>;
  readonly #held = new Map<string, DeliverySlot>();
  readonly #announced = new Map<string, Announcement[]>();

  constructor(scheduler: Pick<Scheduler<DeliveryWork>, 'settleHeld'>) {
    this.#scheduler = scheduler;
  }

  get size(): number {
    return this.#held.size;
  }

  get announced(): number {
    return this.#announced.size;
  }

  hold(topic: SettledMeta['topic'], slot: DeliverySlot): void {
    this.#held.set(keyOf(topic, slot.work.record.offset, slot.index), slot);
  }

  /**
   * `unread`: the slot's record has not been offered, or is passed over, so that it will be. Returns the slot when it
   * has ended by this.
   */
  settle(
    { topic, offset, slot }: SettledMeta,
    announcement: Announcement,
    isUnread: boolean,
  ): DeliverySlot | null {
    const key = keyOf(topic, offset, slot);
    const held = this.#held.get(key);
    if (held === undefined && isUnread) {
      this.#announced.set(key, [...(this.#announced.get(key) ?? []), announcement]);
      return null;
    }
    announcement.complete();
    this.#held.delete(key);
    // Once its time was over and we have begun it, its own end counts.
    if (held === undefined || !this.#scheduler.settleHeld(held)) return null;
    held.work.record.complete(slot);
    return held;
  }

  /** Whether an earlier owner has put aside what we still take for his: it has the same numbers, and bounced more often. */
  isBack({ event, delivery, endpointIds, bounces }: DeliveryWork, index: number): boolean {
    for (const { work, endpointId } of this.#held.values()) {
      const isSame =
        endpointId === endpointIds[index] &&
        work.event.eventId === event.eventId &&
        work.delivery.run === delivery.run &&
        work.delivery.round === delivery.round &&
        work.delivery.attempt === delivery.attempt;
      if (isSame && work.bounces < bounces) return true;
    }
    return false;
  }

  /** Whether a slot that is read only now was announced as settled. */
  isAnnounced(topic: SettledMeta['topic'], offset: number, slot: number): boolean {
    return this.#announced.size > 0 && this.#announced.has(keyOf(topic, offset, slot));
  }

  /** The slot is completed, and with it what was announced of it. */
  completed(topic: SettledMeta['topic'], offset: number, slot: number): void {
    const key = keyOf(topic, offset, slot);
    for (const each of this.#announced.get(key) ?? []) each.complete();
    this.#announced.delete(key);
  }

  /** Forgets those whose time is over and that were begun. */
  sweep(): void {
    for (const [key, { stage }] of this.#held) {
      if (stage !== 'held' && stage !== 'queued') this.#held.delete(key);
    }
  }

  lose(topic: SettledMeta['topic']): void {
    for (const key of this.#held.keys()) if (key.startsWith(topic)) this.#held.delete(key);
    // Announcements are records of the overflow: they come again with it.
    if (topic === 'overflow') this.#announced.clear();
  }
}

const keyOf = (topic: SettledMeta['topic'], offset: number, slot: number): string =>
  `${topic}:${offset}:${slot}`;
