/**
 * Brings the leaders of partitions up to date: one refresh at a time, each a longer pause after the last until
 * something was acknowledged.
 */
export interface LeaderRefreshOptions {
  refresh: (topics: string[]) => Promise<void>;
  backoffMs: { min: number; max: number };
  nowMs: () => number;
  /** A refresh has ended, or the next may begin only at that time: look again then. */
  lookAgainAt: (atMs: number) => void;
}

export class LeaderRefresh {
  readonly #options: LeaderRefreshOptions;
  #underWay = false;
  #inARow = 0;
  #notBeforeMs = 0;
  #failure: unknown = null;

  constructor(options: LeaderRefreshOptions) {
    this.#options = options;
  }

  /** Why the last refresh failed; null when it did not. */
  get failure(): unknown {
    return this.#failure;
  }

  acknowledged(): void {
    this.#inARow = 0;
  }

  request(topics: readonly string[]): void {
    if (this.#underWay) return;
    const { nowMs, lookAgainAt, refresh } = this.#options;
    if (nowMs() < this.#notBeforeMs) {
      lookAgainAt(this.#notBeforeMs);
      return;
    }
    this.#underWay = true;
    const conclude = (failure: unknown) => this.#conclude(failure);
    refresh([...new Set(topics)]).then(() => conclude(null), conclude);
  }

  #conclude(failure: unknown): void {
    const { nowMs, backoffMs, lookAgainAt } = this.#options;
    this.#underWay = false;
    this.#failure = failure;
    this.#notBeforeMs = nowMs() + Math.min(backoffMs.max, backoffMs.min * 2 ** this.#inARow++);
    lookAgainAt(nowMs());
  }
}
