/** Attempts and failures of the last `windowMs`, to a tenth of it. */
export interface FailureWindow {
  count(failed: boolean, nowMs: number): void;
  /** As of the last `count`. */
  readonly attempts: number;
  readonly failures: number;
}

const BUCKETS = 10;

export function createFailureWindow(windowMs: number): FailureWindow {
  const bucketMs = windowMs / BUCKETS;
  // Plain arrays: there is a window per failing endpoint, and typed ones weigh three times as much.
  const attemptsIn = new Array<number>(BUCKETS).fill(0);
  const failuresIn = new Array<number>(BUCKETS).fill(0);
  let newest = -1;
  let attempts = 0;
  let failures = 0;

  /** Empties the buckets that time has passed over since the last count. */
  function moveTo(bucket: number): void {
    const oldest = Math.max(newest + 1, bucket - BUCKETS + 1);
    for (let passed = oldest; passed <= bucket; passed++) {
      const place = passed % BUCKETS;
      attempts -= attemptsIn[place]!;
      failures -= failuresIn[place]!;
      attemptsIn[place] = 0;
      failuresIn[place] = 0;
    }
    newest = bucket;
  }

  return {
    count(failed, nowMs) {
      const bucket = Math.floor(nowMs / bucketMs);
      if (bucket > newest) moveTo(bucket);
      const place = newest % BUCKETS;
      attemptsIn[place]! += 1;
      attempts += 1;
      if (!failed) return;
      failuresIn[place]! += 1;
      failures += 1;
    },
    get attempts() {
      return attempts;
    },
    get failures() {
      return failures;
    },
  };
}
