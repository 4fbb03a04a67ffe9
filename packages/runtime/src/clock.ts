/** Time as an argument. `nowMs` is the wall clock (Unix milliseconds), `monotonicMs` never steps back. */
export interface Clock {
  nowMs(): number;
  monotonicMs(): number;
}

/** The clocks of this machine; everything below a service's main file is given one. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
