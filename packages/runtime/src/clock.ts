/** Time as an argument. `nowMs` is the wall clock (Unix milliseconds), `monotonicMs` never steps back. */
export interface Clock {
  nowMs(): number;
  monotonicMs(): number;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
