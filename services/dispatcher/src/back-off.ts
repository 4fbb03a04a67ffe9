/** The waits between one try and the next: each twice as long as the one before, up to `MAX_RETRY_MS`. */
export interface BackOff {
  /** How long the next wait takes. */
  readonly nextMs: number;
  wait(): Promise<void>;
}

const MAX_RETRY_MS = 5_000;

export function createBackOff(firstMs: number): BackOff {
  let nextMs = firstMs;
  return {
    get nextMs() {
      return nextMs;
    },
    wait() {
      const waited = delay(nextMs);
      nextMs = Math.min(nextMs * 2, MAX_RETRY_MS);
      return waited;
    },
  };
}

export const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
