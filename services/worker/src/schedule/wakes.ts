/** Something to be done once a time has come; nothing is done for a wake that was cancelled. */
export interface Wake {
  readonly atMs: number;
  cancelled: boolean;
  run(nowMs: number): void;
}

/** What waits for a time to come, earliest first: a binary heap. */
export class Wakes {
  readonly #heap: Wake[] = [];

  at(atMs: number, run: (nowMs: number) => void): Wake {
    const wake = { atMs, cancelled: false, run };
    this.#rise(this.#heap.push(wake) - 1, wake);
    return wake;
  }

  get nextMs(): number | null {
    while (this.#heap[0]?.cancelled) this.#takeFirst();
    return this.#heap[0]?.atMs ?? null;
  }

  run(nowMs: number): void {
    for (let first = this.#heap[0]; first !== undefined && first.atMs <= nowMs; first = this.#heap[0]) {
      this.#takeFirst();
      if (!first.cancelled) first.run(nowMs);
    }
  }

  #takeFirst(): void {
    const last = this.#heap.pop()!;
    if (this.#heap.length > 0) this.#sink(last);
  }

  #rise(from: number, wake: Wake): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (this.#heap[parent]!.atMs <= wake.atMs) break;
      this.#heap[place] = this.#heap[parent]!;
      place = parent;
    }
    this.#heap[place] = wake;
  }

  #sink(wake: Wake): void {
    const heap = this.#heap;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.atMs < heap[child]!.atMs) child += 1;
      if (heap[child]!.atMs >= wake.atMs) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = wake;
  }
}
