interface Waiting {
  readonly asker: string;
  start(): void;
}

export interface LookupSharesOptions {
  readonly maxLookups: number;
  /** Of these, how many may be one asker's: names of one whose servers are slow leave room for those of others. */
  readonly maxPerAsker: number;
  readonly maxWaiting: number;
}

/** Places for lookups under way. Whoever finds none waits; of those the first whose asker has a share left goes on. */
export class LookupShares {
  readonly #options: LookupSharesOptions;
  readonly #held = new Map<string, number>();
  readonly #waiting = new Set<Waiting>();
  #taken = 0;

  constructor(options: LookupSharesOptions) {
    this.#options = options;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** False, at once, when too many wait already. Whoever enters leaves. */
  async enter(asker: string): Promise<boolean> {
    if (this.#hasPlace(asker)) {
      this.#take(asker);
      return true;
    }
    if (this.#waiting.size >= this.#options.maxWaiting) return false;
    await new Promise<void>((start) => this.#waiting.add({ asker, start }));
    return true;
  }

  leave(asker: string): void {
    this.#taken--;
    const held = this.#held.get(asker)! - 1;
    if (held === 0) this.#held.delete(asker);
    else this.#held.set(asker, held);
    for (const next of this.#waiting) {
      if (!this.#hasPlace(next.asker)) continue;
      this.#waiting.delete(next);
      this.#take(next.asker);
      next.start();
      return;
    }
  }

  #hasPlace(asker: string): boolean {
    const { maxLookups, maxPerAsker } = this.#options;
    return this.#taken < maxLookups && (this.#held.get(asker) ?? 0) < maxPerAsker;
  }

  #take(asker: string): void {
    this.#taken++;
    this.#held.set(asker, (this.#held.get(asker) ?? 0) + 1);
  }
}
