/** One timer for the earliest of the times it was asked for; asking for a later one changes nothing. */
export class EarliestTimer {
  readonly #nowMs: () => number;
  readonly #fire: () => void;
  #dueMs = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;

  constructor(nowMs: () => number, fire: () => void) {
    this.#nowMs = nowMs;
    this.#fire = fire;
  }

  /** Fires at that time; if it has passed, after the current turn. */
  at(dueMs: number): void {
    if (dueMs >= this.#dueMs) return;
    this.cancel();
    const delayMs = dueMs - this.#nowMs();
    const fire = () => {
      this.cancel();
      this.#fire();
    };
    if (delayMs <= 0) {
      this.#dueMs = Number.NEGATIVE_INFINITY;
      this.#immediate = setImmediate(fire);
    } else {
      this.#dueMs = dueMs;
      this.#timer = setTimeout(fire, Math.ceil(delayMs));
    }
  }

  cancel(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#dueMs = Number.POSITIVE_INFINITY;
  }
}
