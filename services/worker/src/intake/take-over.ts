import type { OriginMeta } from '@posthorn/contracts';
import type { AssignedAt } from '@posthorn/kafka';

export interface TakeOverOptions {
  /** Null while the lane's other topic is not ours. */
  deliveries(): Pick<AssignedAt, 'isFinished'> | null;
  readonly overflow: Pick<AssignedAt, 'isFinished' | 'start' | 'end'>;
  readonly nowMs: number;
}

/** What a copy of an earlier owner is to us: `ours` to try, or a `double` of an original that we have taken in. */
export type Judgement = 'ours' | 'double';

/** Beyond it what is still unread of the overflow is judged by what is remembered of attempts alone. */
export const MAX_TAKE_OVER_MS = 60_000;
/** Originals taken in meanwhile, with more of which the lane waits; and as many that are known by their copies. */
export const MAX_ORIGINALS = 100_000;

/**
 * A crash between a move and its commit leaves the original unfinished and the copy in the log. From when a lane is
 * taken over until its overflow has been read to the end of then, originals and copies are matched: the one that is
 * read first is tried, and the other completed. Meanwhile nothing is moved, so that no third one is made.
 *
 * Modes: matching → over (read to the end, or out of time; what was matched and has not been read yet stays known).
 */
export class TakeOver {
  readonly #options: TakeOverOptions;
  /** Offsets in `deliveries` that were taken in. */
  readonly #taken = new Set<number>();
  /** Slots of originals that were not read before their copies. */
  readonly #copied = new Map<number, readonly number[]>();
  #readToEnd = false;
  #over: boolean;

  constructor(options: TakeOverOptions) {
    this.#options = options;
    this.#over = options.overflow.start >= options.overflow.end;
  }

  get over(): boolean {
    return this.#over;
  }

  get isFull(): boolean {
    return this.#taken.size >= MAX_ORIGINALS;
  }

  get copied(): number {
    return this.#copied.size;
  }

  /** The overflow has been read to its end: what is missing of it is finished. */
  readToEnd(): void {
    this.#readToEnd = true;
  }

  /** True when it is over by now and was not before. */
  advance(readTo: number, nowMs: number): boolean {
    const { overflow, nowMs: begunMs } = this.#options;
    const isRead = this.#readToEnd || readTo >= overflow.end;
    if (this.#over || (!isRead && nowMs - begunMs < MAX_TAKE_OVER_MS)) return false;
    this.#over = true;
    this.#taken.clear();
    return true;
  }

  took(offset: number): void {
    if (!this.#over) this.#taken.add(offset);
  }

  /** Of a copy that was in the overflow when we took over. */
  judge({ topic, offset, slots }: OriginMeta): Judgement {
    const { overflow } = this.#options;
    // A record of the overflow that was moved to its end stands before its copy: what is unfinished of it we have.
    if (topic === 'overflow') return overflow.isFinished(offset) ? 'ours' : 'double';
    if (this.#options.deliveries()?.isFinished(offset) ?? true) return 'ours';
    if (this.#taken.has(offset)) return 'double';
    if (this.#copied.size < MAX_ORIGINALS) this.#copied.set(offset, slots);
    return 'ours';
  }

  /** Whether a copy has taken this slot of an original along. */
  isCopied(offset: number, slot: number): boolean {
    return this.#copied.size > 0 && (this.#copied.get(offset)?.includes(slot) ?? false);
  }

  /** The original is read, and what was copied of it completed. */
  completed(offset: number): void {
    if (this.#copied.size > 0) this.#copied.delete(offset);
  }
}
