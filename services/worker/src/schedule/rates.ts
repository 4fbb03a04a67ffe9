const SECOND_MS = 1_000;

/**
 * What an endpoint's rate has given: its starts so far are worth all time up to `spentToMs`. A second's worth may be
 * ahead of the clock, so that what was not used in a second can come at once.
 */
export interface Rate {
  spentToMs: number;
}

/** When the next may start; now or earlier: at once. */
export function nextStartMs(rate: Rate, maxPerSec: number): number {
  return rate.spentToMs + SECOND_MS / maxPerSec - SECOND_MS;
}

export function spend(rate: Rate, maxPerSec: number, nowMs: number): void {
  rate.spentToMs = Math.max(rate.spentToMs, nowMs) + SECOND_MS / maxPerSec;
}

/** For one that was started and not sent. */
export function giveBack(rate: Rate, maxPerSec: number): void {
  rate.spentToMs -= SECOND_MS / maxPerSec;
}
