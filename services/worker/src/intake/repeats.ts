import type { Clock } from '@posthorn/runtime';
import { AttemptTable, COLUMN } from './attempt-table.ts';
import type { DeliveryWork } from './delivery-work.ts';

/** What names an attempt, and the partition it came in by. */
export type Attempted = Pick<DeliveryWork, 'delivery' | 'rows' | 'source'> & {
  readonly record: Pick<DeliveryWork['record'], 'live'>;
};

export interface RepeatsOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Deliveries remembered at once; beyond it the oldest settled ones are forgotten. */
  readonly maxRepeats: number;
  /** How long one is remembered after its outcome was journaled. */
  readonly keptMs: number;
}

export interface RepeatsStats {
  readonly remembered: number;
  readonly bytes: number;
  /** Forgotten before their time, or never remembered, for want of room. */
  readonly evicted: number;
}

/**
 * Which attempts this worker has taken in: per delivery the highest (round, attempt), and whether it succeeded. A
 * second copy of one (a crash between a produce and its commit makes it) is completed without a request. A copy of an
 * earlier round or attempt is one as well, and so is whatever else of a run that succeeded.
 *
 * Modes of a delivery: open (taken in and not settled) → settled or succeeded (its outcome is journaled; forgotten
 * after `keptMs`) → open again with a later attempt. A move is no outcome: what leaves by one is forgotten, and taken
 * in again when it comes back. All is forgotten with the partition it came in by.
 */
export interface Repeats {
  isRepeat(work: Attempted, index: number): boolean;
  /** The slot is ours to try now. */
  takeIn(work: Attempted, index: number): void;
  /** Its outcome is journaled. */
  settled(work: Attempted, index: number, succeeded?: boolean): void;
  /** It is about to be moved elsewhere, and will come back. */
  forget(work: Attempted, index: number): void;
  lose(source: number): void;
  stats(): RepeatsStats;
}

const OPEN = 1;
const SETTLED = 2;
const SUCCEEDED = 3;

/** 32 bits of them last two years. */
const TICK_MS = 16;

export function createRepeats(options: RepeatsOptions): Repeats {
  return new RememberedAttempts(options);
}

class RememberedAttempts implements Repeats {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #table: AttemptTable;
  readonly #keptTicks: number;
  readonly #startedMs: number;
  /** Ends of the list of what is settled, in the order of settling. */
  #oldest = 0;
  #newest = 0;
  #evicted = 0;
  /** Partitions that were lost and whose rows are still there: lanes are lost many at once, and the table is large. */
  readonly #lost = new Set<number>();

  constructor({ clock, maxRepeats, keptMs }: RepeatsOptions) {
    this.#clock = clock;
    this.#table = new AttemptTable(maxRepeats);
    this.#keptTicks = Math.ceil(keptMs / TICK_MS);
    this.#startedMs = clock.monotonicMs();
  }

  isRepeat(work: Attempted, index: number): boolean {
    const row = this.#find(work, index);
    if (row === 0 || !isCountable(work) || this.#forgetIfExpired(row)) return false;
    return this.#modeOf(row) === SUCCEEDED || this.#compare(work, row) <= 0;
  }

  takeIn(work: Attempted, index: number): void {
    if (!isCountable(work)) return;
    let row = this.#find(work, index);
    if (row === 0) row = this.#add(work, index);
    else this.#unlink(row);
    if (row === 0) return;
    const { round, attempt } = work.delivery;
    this.#table.set(row, COLUMN.round, round);
    this.#table.set(row, COLUMN.attempt, attempt);
    this.#table.set(row, COLUMN.source, work.source);
    this.#table.set(row, COLUMN.mode, OPEN);
  }

  settled(work: Attempted, index: number, succeeded = false): void {
    const row = this.#find(work, index);
    if (row === 0) return;
    const isOlder = this.#compare(work, row) < 0;
    if (isOlder && !succeeded) return;
    const tick = this.#tick();
    this.#unlink(row);
    const mode = succeeded || this.#modeOf(row) === SUCCEEDED ? SUCCEEDED : SETTLED;
    this.#table.set(row, COLUMN.mode, mode);
    this.#table.set(row, COLUMN.tick, tick);
    this.#link(row);
    this.#forgetExpired(tick);
  }

  forget(work: Attempted, index: number): void {
    if (!work.record.live) return;
    const row = this.#find(work, index);
    if (row !== 0 && this.#modeOf(row) === OPEN && this.#compare(work, row) === 0) this.#remove(row);
  }

  lose(source: number): void {
    this.#lost.add(source);
  }

  stats(): RepeatsStats {
    this.#forgetLost();
    this.#forgetExpired(this.#tick());
    const { rows, bytes } = this.#table;
    return { remembered: rows, bytes, evicted: this.#evicted };
  }

  #forgetLost(): void {
    if (this.#lost.size === 0) return;
    for (let row = this.#table.lastRow; row > 0; row--) {
      if (this.#modeOf(row) !== 0 && this.#lost.has(this.#table.get(row, COLUMN.source))) this.#remove(row);
    }
    this.#lost.clear();
  }

  #find(work: Attempted, index: number): number {
    this.#forgetLost();
    return this.#table.find(work.rows, index);
  }

  #add(work: Attempted, index: number): number {
    if (this.#isFull) this.#forgetExpired(this.#tick());
    if (this.#isFull) {
      this.#evicted += 1;
      if (this.#oldest === 0) return 0;
      this.#remove(this.#oldest);
    }
    return this.#table.add(work.rows, index);
  }

  get #isFull(): boolean {
    return this.#table.rows === this.#table.maxRows;
  }

  #remove(row: number): void {
    this.#unlink(row);
    this.#table.remove(row);
  }

  #modeOf(row: number): number {
    return this.#table.get(row, COLUMN.mode);
  }

  /** Of the work's (round, attempt) with the row's: below 0 when it is an earlier one. */
  #compare({ delivery }: Attempted, row: number): number {
    const rounds = delivery.round - this.#table.get(row, COLUMN.round);
    return rounds !== 0 ? rounds : delivery.attempt - this.#table.get(row, COLUMN.attempt);
  }

  #tick(): number {
    return Math.floor((this.#clock.monotonicMs() - this.#startedMs) / TICK_MS);
  }

  #forgetExpired(tick: number): void {
    const before = tick - this.#keptTicks;
    while (this.#oldest !== 0 && this.#table.get(this.#oldest, COLUMN.tick) < before) {
      this.#remove(this.#oldest);
    }
  }

  #forgetIfExpired(row: number): boolean {
    if (this.#modeOf(row) === OPEN) return false;
    if (this.#table.get(row, COLUMN.tick) >= this.#tick() - this.#keptTicks) return false;
    this.#remove(row);
    return true;
  }

  #link(row: number): void {
    this.#table.set(row, COLUMN.older, this.#newest);
    this.#table.set(row, COLUMN.newer, 0);
    if (this.#newest === 0) this.#oldest = row;
    else this.#table.set(this.#newest, COLUMN.newer, row);
    this.#newest = row;
  }

  #unlink(row: number): void {
    if (this.#modeOf(row) === OPEN || this.#modeOf(row) === 0) return;
    const older = this.#table.get(row, COLUMN.older);
    const newer = this.#table.get(row, COLUMN.newer);
    if (older === 0) this.#oldest = newer;
    else this.#table.set(older, COLUMN.newer, newer);
    if (newer === 0) this.#newest = older;
    else this.#table.set(newer, COLUMN.older, older);
  }
}

/** A count beyond what a row holds is nobody's in earnest: such an attempt is not remembered. */
const isCountable = ({ delivery: { run, round, attempt } }: Attempted): boolean =>
  Math.max(run, round, attempt) < 2 ** 32;
