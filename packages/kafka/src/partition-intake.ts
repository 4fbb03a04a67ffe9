import type { PartitionHandler, PartitionStats, TrackedRecord } from './consumer.ts';
import { decodeHeaders } from './headers.ts';
import type { FetchedBatch, FetchedMessage } from './kafkajs-internals.ts';
import { isSlotDone, OffsetWindow, type WindowEntry } from './offset-window.ts';
import type { OffsetMap } from './window-encoding.ts';

/** What the group's coordinator holds for a partition. */
export interface Committed {
  readonly offset: number;
  readonly metadata: string;
}

/** Why nothing is fetched: the handler is full, or the map is nearly as large as a commit may be. */
export type PauseReason = 'handler' | 'map';

export interface IntakeOptions {
  readonly maxMapChars: number;
  slotCount(record: { headers: Record<string, string>; value: Buffer }): number;
  /** Something was finished that a commit has to say. */
  onDirty(intake: PartitionIntake): void;
  onPauseChange(intake: PartitionIntake): void;
}

/** Of the space for a map: intake pauses above the first share and goes on below the second. */
const PAUSE_ABOVE = 0.8;
const RESUME_BELOW = 0.5;
const MAX_ATTEMPTED = 16;

const NOTHING = Buffer.alloc(0);

/**
 * One assigned partition, from its assignment to its loss; a partition that comes back is a new one.
 * Modes: live (hands records on, takes completions) → lost (neither). Only the rejoin and the stop make it lost.
 */
export class PartitionIntake {
  readonly topic: string;
  readonly partition: number;
  readonly handler: PartitionHandler;
  readonly #options: IntakeOptions;
  readonly #window: OffsetWindow;
  readonly #pauses = new Set<PauseReason>();
  #live = true;
  #acknowledged: Committed;
  /** Sent and not acknowledged: any of them may be what the coordinator holds. */
  #attempted: Committed[] = [];
  #mapChars = 0;
  #highWatermark: number | null = null;

  constructor(
    place: { topic: string; partition: number },
    handler: PartitionHandler,
    from: { start: number; map: OffsetMap | null; committed: Committed },
    options: IntakeOptions,
  ) {
    this.topic = place.topic;
    this.partition = place.partition;
    this.handler = handler;
    this.#options = options;
    this.#window = new OffsetWindow(from.start, from.map);
    this.#acknowledged = from.committed;
  }

  get live(): boolean {
    return this.#live;
  }

  get position(): number {
    return this.#window.position;
  }

  get paused(): boolean {
    return this.#pauses.size > 0;
  }

  get unfinished(): number {
    return this.#window.unfinished;
  }

  pause(reason: PauseReason): void {
    if (this.#pauses.has(reason)) return;
    this.#pauses.add(reason);
    this.#options.onPauseChange(this);
  }

  resume(reason: PauseReason): void {
    if (this.#pauses.delete(reason)) this.#options.onPauseChange(this);
  }

  lose(): void {
    if (!this.#live) return;
    this.#live = false;
    this.handler.lost();
  }

  /**
   * Hands on what the batch brings, up to the first refusal, and moves the position. A batch that was not fetched from
   * the position belongs to an earlier time and is dropped: false.
   */
  take(batch: FetchedBatch): boolean {
    if (!this.#live || Number(batch.fetchedOffset) !== this.position) return false;
    this.#highWatermark = Number(batch.highWatermark);
    if (this.paused) return true;
    for (const message of batch.messages) {
      if (!this.#handOn(message)) {
        this.pause('handler');
        return true;
      }
    }
    // Behind the last record there may be control records, which nobody is handed.
    if (batch.rawMessages.length > 0) this.moveTo(Number(batch.lastOffset()) + 1);
    return true;
  }

  #handOn(message: FetchedMessage): boolean {
    const offset = Number(message.offset);
    if (offset < this.position) return true;
    const headers = decodeHeaders(message.headers);
    // The fetched value is a view that pins the whole response.
    const value = message.value === null ? NOTHING : Buffer.from(message.value);
    const entry = this.#window.add(offset, this.#options.slotCount({ headers, value }));
    if (entry === null) {
      this.#options.onDirty(this);
      return true;
    }
    const accepted = this.handler.offer(new HandedRecord(this, entry, message, value, headers));
    if (!accepted && entry.remaining > 0) {
      this.#window.withdraw(entry);
      return false;
    }
    return true;
  }

  moveTo(position: number): void {
    if (position > this.position) this.#window.moveTo(position);
  }

  /** The next record worth fetching; what an earlier owner finished in between is passed over. */
  get nextUnfinished(): number {
    return this.#window.nextUnfinished;
  }

  complete(entry: WindowEntry, slot: number | undefined): void {
    if (this.#live && this.#window.complete(entry, slot)) this.#options.onDirty(this);
  }

  /** Null when the coordinator holds just that already. */
  prepareCommit(): { committed: Committed; truncated: boolean } | null {
    const { offset, map, truncated } = this.#window.snapshot(this.#options.maxMapChars);
    this.#mapChars = map.length;
    if (truncated || map.length > this.#options.maxMapChars * PAUSE_ABOVE) this.pause('map');
    else if (map.length < this.#options.maxMapChars * RESUME_BELOW) this.resume('map');
    if (offset === this.#acknowledged.offset && map === this.#acknowledged.metadata) return null;
    const committed = { offset, metadata: map };
    this.#attempted = [...this.#attempted.slice(1 - MAX_ATTEMPTED), committed];
    return { committed, truncated };
  }

  acknowledge(committed: Committed): void {
    this.#acknowledged = committed;
    this.#attempted = [];
  }

  /** Whether nobody else has committed since we did: only then is what we know of the partition still the truth. */
  isOurs(committed: Committed): boolean {
    return [this.#acknowledged, ...this.#attempted].some((own) => isSame(own, committed));
  }

  stats(): PartitionStats {
    const { topic, partition, position } = this;
    return {
      topic,
      partition,
      lag: this.#highWatermark === null ? null : Math.max(0, this.#highWatermark - position),
      uncommittedSpan: position - this.#window.lowest,
      mapChars: this.#mapChars,
      paused: this.paused,
    };
  }
}

function isSame(a: Committed, b: Committed): boolean {
  return a.offset === b.offset && a.metadata === b.metadata;
}

class HandedRecord implements TrackedRecord {
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
}
