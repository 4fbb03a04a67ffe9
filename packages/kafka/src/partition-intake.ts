import type { PartitionHandler, PartitionStats } from './consumer.ts';
import { HandOver } from './hand-over.ts';
import { HandedRecord } from './handed-record.ts';
import { decodeHeaders } from './headers.ts';
import type { FetchedBatch, FetchedMessage } from './kafkajs-internals.ts';
import { OffsetWindow } from './offset-window.ts';
import type { OffsetMap } from './window-encoding.ts';
import { heldForMs, isSlotDone, type WindowEntry } from './window-entry.ts';

/** What the group's coordinator holds for a partition. */
export interface Committed {
  readonly offset: number;
  readonly metadata: string;
}

/** Why nothing is fetched: the handler is full, the map is nearly as large as a commit may be, or nothing is expected. */
export type PauseReason = 'handler' | 'map' | 'parked';

/** How a partition was lost: with a last commit in a group that still knew us, or in any other way. */
export type Loss = 'handed_over' | 'dropped';

export interface IntakeOptions {
  readonly maxMapChars: number;
  nowMs(): number;
  slotCount(record: { headers: Record<string, string>; value: Buffer }): number;
  /** Something was finished that a commit has to say. */
  onDirty(intake: PartitionIntake): void;
  onPauseChange(intake: PartitionIntake): void;
  /** Records that were passed over are no longer in the log. */
  onGone(intake: PartitionIntake, records: number): void;
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
  #handOver: HandOver | null = null;
  /** Counts the cursor's jumps: the rest of a batch is then not what comes next. */
  #rereads = 0;
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
    this.#window = new OffsetWindow(from.start, from.map, options.nowMs());
    this.#acknowledged = from.committed;
  }

  get live(): boolean {
    return this.#live;
  }

  get position(): number {
    return this.#window.position;
  }

  /** Where the next fetch begins. */
  get cursor(): number {
    return this.#window.cursor;
  }

  /** A full map stops no rereading, which is what empties it. */
  get paused(): boolean {
    if (this.#pauses.size === 0) return false;
    return this.parked || this.#pauses.has('handler') || !this.#window.rereading;
  }

  /** Nobody waits for it to go on. */
  get parked(): boolean {
    return this.#pauses.has('parked');
  }

  pause(reason: PauseReason): void {
    if (this.#pauses.has(reason)) return;
    this.#pauses.add(reason);
    this.#options.onPauseChange(this);
  }

  resume(reason: PauseReason): void {
    if (this.#pauses.delete(reason)) this.#options.onPauseChange(this);
  }

  lose(loss: Loss): void {
    if (!this.#live) return;
    this.#live = false;
    if (loss === 'dropped') this.#handOver = null;
    this.handler.lost(this.#handOver?.settledSince ?? []);
  }

  /** The next commit is the last before the partition may move: true when slots are under way that it has to name. */
  prepareHandOver(): boolean {
    const underWay = this.handler.underWay?.() ?? [];
    this.#handOver = HandOver.of(underWay, this.#options.nowMs(), (offset) => this.#window.slotsAt(offset));
    return this.#handOver !== null;
  }

  /** The partition stays: true when the last commit named slots of ours, which the next has to take back. */
  keep(): boolean {
    const named = this.#handOver !== null;
    this.#handOver = null;
    return named;
  }

  /**
   * Hands on what the batch brings, up to the first refusal, and moves the position. A batch that was not fetched from
   * the position belongs to an earlier time and is dropped: false.
   */
  take(batch: FetchedBatch): boolean {
    if (!this.#live || Number(batch.fetchedOffset) !== this.cursor) return false;
    this.#highWatermark = Number(batch.highWatermark);
    if (this.paused) return true;
    this.#follow(() => this.#takeAll(batch));
    return true;
  }

  #takeAll(batch: FetchedBatch): void {
    const rereads = this.#rereads;
    for (const message of batch.messages) {
      if (!this.#handOn(message)) this.pause('handler');
      if (this.#rereads !== rereads || this.paused) return;
    }
    // Behind the last record there may be control records, which nobody is handed.
    const next = Number(batch.lastOffset()) + 1;
    if (batch.rawMessages.length > 0 && next > this.cursor) this.#window.moveTo(next);
  }

  #handOn(message: FetchedMessage): boolean {
    const offset = Number(message.offset);
    if (offset < this.cursor) return true;
    const headers = decodeHeaders(message.headers);
    // The fetched value is a view that pins the whole response.
    const value = message.value === null ? NOTHING : Buffer.from(message.value);
    const entry = this.#window.add(offset, this.#options.slotCount({ headers, value }));
    if (entry === null) {
      this.#options.onDirty(this);
      return true;
    }
    const accepted = this.handler.offer(new HandedRecord(this, entry, message, value, headers));
    if (!accepted && entry.remaining > 0 && !entry.passedOver) {
      this.#window.withdraw(entry);
      return false;
    }
    return true;
  }

  moveTo(cursor: number): void {
    if (cursor > this.cursor) this.#follow(() => this.#window.moveTo(cursor));
  }

  reread(offset: number): number | null {
    if (!this.#live) return null;
    const { cursor } = this;
    this.#follow(() => this.#window.reread(offset));
    if (this.cursor !== cursor) this.#rereads++;
    return this.#window.rereading ? this.cursor : null;
  }

  /** A move of the cursor may begin or end a rereading, and find that records are gone. */
  #follow(move: () => void): void {
    const { paused } = this;
    const { gone } = this.#window;
    move();
    if (this.paused !== paused) this.#options.onPauseChange(this);
    if (this.#window.gone === gone) return;
    this.#options.onDirty(this);
    this.#options.onGone(this, this.#window.gone - gone);
  }

  /** The next record worth fetching; what an earlier owner finished in between is passed over. */
  get nextUnfinished(): number {
    return this.#window.nextUnfinished;
  }

  complete(entry: WindowEntry, slot: number | undefined): void {
    if (!this.#live) return;
    if (!entry.passedOver) this.#handOver?.settle(entry, slot, (each) => isSlotDone(entry, each));
    if (this.#window.complete(entry, slot)) this.#options.onDirty(this);
  }

  passOver(entry: WindowEntry): void {
    if (this.#live) this.#window.passOver(entry);
  }

  heldForMs(entry: WindowEntry, slot: number): number {
    return entry.heldUntil === null ? 0 : heldForMs(entry, slot, this.#options.nowMs());
  }

  mayStillSettle({ offset }: WindowEntry, slot: number): boolean {
    if (this.#live || this.#handOver === null) return false;
    return this.#handOver.mayStillSettle(offset, slot, this.#options.nowMs());
  }

  /** Null when the coordinator holds just that already. */
  prepareCommit(): { committed: Committed; truncated: boolean } | null {
    const { nowMs, maxMapChars } = this.#options;
    const { offset, map, truncated, heldEnd } = this.#window.snapshot(
      maxMapChars,
      nowMs(),
      this.#handOver?.underWay,
    );
    this.#handOver?.said(heldEnd);
    this.#mapChars = map.length;
    if (truncated || map.length > maxMapChars * PAUSE_ABOVE) this.pause('map');
    else if (map.length < maxMapChars * RESUME_BELOW) this.resume('map');
    const committed = { offset, metadata: map };
    if (this.#attempted.length === 0 && isSame(committed, this.#acknowledged)) {
      this.#handOver?.acknowledge();
      return null;
    }
    this.#attempted = [...this.#attempted.slice(1 - MAX_ATTEMPTED), committed];
    return { committed, truncated };
  }

  acknowledge(committed: Committed): void {
    this.#acknowledged = committed;
    this.#attempted = [];
    if (this.#live) this.#handOver?.acknowledge();
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
      passedOver: this.#window.passedOver,
      held: this.#window.countHeld(this.#options.nowMs()),
    };
  }
}

function isSame(a: Committed, b: Committed): boolean {
  return a.offset === b.offset && a.metadata === b.metadata;
}
