import type { Clock } from '@posthorn/runtime';

export interface FakeClock extends Clock {
  /** Moves both clocks on. */
  advance(ms: number): void;
  /** Sets the wall clock alone, as an operator or NTP does. */
  setWallClock(nowMs: number): void;
}

const START_MS = Date.UTC(2026, 0, 1);

export function createFakeClock(startMs = START_MS): FakeClock {
  let wallMs = startMs;
  let monotonicMs = 0;
  return {
    nowMs: () => wallMs,
    monotonicMs: () => monotonicMs,
    advance(ms) {
      wallMs += ms;
      monotonicMs += ms;
    },
    setWallClock(nowMs) {
      wallMs = nowMs;
    },
  };
}
