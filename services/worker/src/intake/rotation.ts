/** Of the 4,096 characters that a map may have, above this many the oldest records move. */
export const ROTATE_ABOVE_CHARS = 2_400;
/** Half of what the overflow retains. */
export const ROTATE_AFTER_MS = 3.5 * 24 * 3_600_000;
/** Moves of one lane a second, at ten ticks a second. */
export const MAX_ROTATIONS_PER_SEC = 50;
const TICKS_PER_SEC = 10;
const SAMPLE_INTERVAL_MS = 3_600_000;

interface Sample {
  readonly offset: number;
  readonly timestampMs: number;
}

/**
 * When the oldest records that were passed over move to the end of the overflow: when the map of what is unfinished
 * grows too large, or they have waited for half of the time that the topic keeps them.
 */
export class Rotation {
  /** When records were appended, one an hour: as many as the topic retains hours. */
  #samples: Sample[] = [];
  #left = 0;

  get active(): boolean {
    return this.#left > 0;
  }

  take(): void {
    this.#left -= 1;
  }

  sample(offset: number, timestampMs: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && timestampMs < last.timestampMs + SAMPLE_INTERVAL_MS) return;
    this.#samples.push({ offset, timestampMs });
  }

  /** Once a tick. */
  refill(nowMs: number, mapChars: number, oldest: number | null): void {
    const isDue = mapChars > ROTATE_ABOVE_CHARS || (oldest !== null && this.#isOld(oldest, nowMs));
    this.#left = isDue && oldest !== null ? MAX_ROTATIONS_PER_SEC / TICKS_PER_SEC : 0;
  }

  #isOld(offset: number, nowMs: number): boolean {
    const next = this.#samples.findIndex((sample) => sample.offset > offset);
    const at = next === -1 ? this.#samples.length - 1 : next - 1;
    this.#samples = this.#samples.slice(Math.max(0, at));
    const appended = this.#samples[0];
    return appended !== undefined && nowMs - appended.timestampMs > ROTATE_AFTER_MS;
  }
}
