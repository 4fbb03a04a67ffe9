/**
 * Fetch settings that follow the load. There are no fetch sessions, so each poll costs both sides all partitions:
 * a busy consumer lets the broker gather, the longer the busier it is; an idle one is told of the first byte.
 * (At 2,000 records/s over 16 partitions a fetch was answered in 22 pieces, each a system call on both sides.)
 * Modes: idle ↔ busy, by the rate of records.
 */

export interface FetchSettings {
  readonly minBytes: number;
  readonly maxWaitMs: number;
}

export interface PaceOptions {
  busy: FetchSettings;
  idleWaitMs: number;
  /** A loop whose partitions are all paused sleeps this long, so this is how late a resume is noticed. */
  pausedWaitMs: number;
  busyAbovePerSecond: number;
  idleBelowPerSecond: number;
}

export const PACE_DEFAULTS: PaceOptions = {
  busy: { minBytes: 128 * 1024, maxWaitMs: 10 },
  idleWaitMs: 250,
  pausedWaitMs: 20,
  busyAbovePerSecond: 300,
  idleBelowPerSecond: 150,
};

/** A busy consumer waits a millisecond for every 100 records/s, between its own wait and this. */
const MAX_GATHER_MS = 25;
const RECORDS_PER_SECOND_PER_MS = 100;

/** The rate is an average over about this long. */
const MEMORY_MS = 500;

export class FetchPace {
  readonly #options: PaceOptions;
  #busy = false;
  #perSecond = 0;
  #lastMs: number;

  constructor(options: PaceOptions, nowMs: number) {
    this.#options = options;
    this.#lastMs = nowMs;
  }

  get busy(): boolean {
    return this.#busy;
  }

  observe(records: number, nowMs: number): void {
    const elapsedMs = Math.max(1, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    const weight = 1 - Math.exp(-elapsedMs / MEMORY_MS);
    this.#perSecond += weight * ((records * 1_000) / elapsedMs - this.#perSecond);
    const threshold = this.#busy ? this.#options.idleBelowPerSecond : this.#options.busyAbovePerSecond;
    this.#busy = this.#perSecond > threshold;
  }

  settings(anyPaused: boolean): FetchSettings {
    const { busy, idleWaitMs, pausedWaitMs } = this.#options;
    if (this.#busy) {
      const gatherMs = Math.min(MAX_GATHER_MS, Math.round(this.#perSecond / RECORDS_PER_SECOND_PER_MS));
      return { minBytes: busy.minBytes, maxWaitMs: Math.max(busy.maxWaitMs, gatherMs) };
    }
    return { minBytes: 1, maxWaitMs: anyPaused ? pausedWaitMs : idleWaitMs };
  }
}
