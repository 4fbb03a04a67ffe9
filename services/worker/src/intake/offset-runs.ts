interface Run {
  from: number;
  /** The first offset behind it. */
  to: number;
}

/** Offsets of one tenant's records, ascending, neighbours as one run: a million in a row are one. */
export class OffsetRuns {
  #runs: Run[] = [];

  get size(): number {
    return this.#runs.length;
  }

  /** Offsets in all runs; with merged ones more than there are. */
  get span(): number {
    return this.#runs.reduce((sum, { from, to }) => sum + to - from, 0);
  }

  get first(): number | null {
    return this.#runs[0]?.from ?? null;
  }

  /** The first offset at or after the one given. */
  firstFrom(offset: number): number | null {
    const run = this.#runs[this.#indexOf(offset)];
    return run === undefined ? null : Math.max(run.from, offset);
  }

  add(offset: number): void {
    const at = this.#indexOf(offset);
    const after = this.#runs[at];
    if (after !== undefined && after.from <= offset) return;
    const before = this.#runs[at - 1];
    const joinsBefore = before?.to === offset;
    const joinsAfter = after?.from === offset + 1;
    if (joinsBefore && joinsAfter) {
      before!.to = after!.to;
      this.#runs.splice(at, 1);
    } else if (joinsBefore) before!.to += 1;
    else if (joinsAfter) after!.from -= 1;
    else this.#runs.splice(at, 0, { from: offset, to: offset + 1 });
  }

  /** Takes out all offsets from `from` to before `to`. */
  drop(from: number, to: number): void {
    if (from >= to) return;
    for (let at = this.#indexOf(from); at < this.#runs.length; ) {
      const run = this.#runs[at]!;
      if (run.from >= to) return;
      const rest: Run[] = [];
      if (run.from < from) rest.push({ from: run.from, to: from });
      if (to < run.to) rest.push({ from: to, to: run.to });
      this.#runs.splice(at, 1, ...rest);
      at += rest.length;
    }
  }

  /** Makes one run of every two: they then span offsets that are none of ours. */
  merge(): void {
    const merged: Run[] = [];
    for (let at = 0; at < this.#runs.length; at += 2) {
      const { from, to } = this.#runs[at]!;
      merged.push({ from, to: this.#runs[at + 1]?.to ?? to });
    }
    this.#runs = merged;
  }

  /** Of the first run that does not end before or at the offset. */
  #indexOf(offset: number): number {
    const last = this.#runs.at(-1);
    if (last === undefined || last.to <= offset) return this.#runs.length;
    let [low, high] = [0, this.#runs.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#runs[middle]!.to <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
