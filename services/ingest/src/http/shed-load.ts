/**
 * Bounds what requests under way may hold: their number, and the bytes of their bodies. Beyond either a request is
 * turned away at once, before its body is read, so that those inside keep their latency.
 */
export interface LoadShedder {
  /** False: turn it away. True: `leave` must follow once, with the same bytes. */
  enter(bytes: number): boolean;
  leave(bytes: number): void;
  readonly requests: number;
  readonly bytes: number;
}

export function createLoadShedder(limits: {
  readonly maxRequests: number;
  readonly maxBytes: number;
}): LoadShedder {
  let requests = 0;
  let held = 0;
  return {
    enter(bytes) {
      if (requests >= limits.maxRequests || held + bytes > limits.maxBytes) return false;
      requests += 1;
      held += bytes;
      return true;
    },
    leave(bytes) {
      requests -= 1;
      held -= bytes;
    },
    get requests() {
      return requests;
    },
    get bytes() {
      return held;
    },
  };
}
