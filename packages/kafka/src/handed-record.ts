import type { TrackedRecord } from './consumer.ts';
import type { FetchedMessage } from './kafkajs-internals.ts';
import type { PartitionIntake } from './partition-intake.ts';
import { isSlotDone, type WindowEntry } from './window-entry.ts';

/** A record in the hands of a handler. */
export class HandedRecord implements TrackedRecord {
  readonly key: string | null;
  readonly value: Buffer;
  readonly headers: Record<string, string>;
  readonly timestampMs: number;
  readonly #intake: PartitionIntake;
  readonly #entry: WindowEntry;

  constructor(
    intake: PartitionIntake,
    entry: WindowEntry,
    message: FetchedMessage,
    value: Buffer,
    headers: Record<string, string>,
  ) {
    this.#intake = intake;
    this.#entry = entry;
    this.key = message.key === null ? null : message.key.toString();
    this.timestampMs = Number(message.timestamp);
    this.value = value;
    this.headers = headers;
  }

  get topic(): string {
    return this.#intake.topic;
  }

  get partition(): number {
    return this.#intake.partition;
  }

  get offset(): number {
    return this.#entry.offset;
  }

  get slots(): number {
    return this.#entry.slots;
  }

  get live(): boolean {
    return this.#intake.live;
  }

  isDone(slot: number): boolean {
    return isSlotDone(this.#entry, slot);
  }

  complete(slot?: number): void {
    this.#intake.complete(this.#entry, slot);
  }

  heldForMs(slot: number): number {
    return this.#intake.heldForMs(this.#entry, slot);
  }

  mayStillSettle(slot: number): boolean {
    return this.#intake.mayStillSettle(this.#entry, slot);
  }

  passOver(): void {
    this.#intake.passOver(this.#entry);
  }
}
