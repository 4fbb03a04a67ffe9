import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  /** Names the condition in the error. */
  readonly what: string;
  readonly timeoutMs?: number;
  readonly everyMs?: number;
}

/** Long: a machine that runs all tests at once may be that late, and nobody waits for it who is not failing. */
const DEFAULT_TIMEOUT_MS = 25_000;
const DEFAULT_EVERY_MS = 25;

/**
 * Asks until the answer is something else than undefined, null or false, and gives it back. Only for outside systems
 * that send no signal (a row in Postgres, another process' port); within a process, wait on a signal.
 * @throws Error when the time is up, naming the condition and the last error of asking.
 */
export async function waitUntil<T>(
  ask: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  options: WaitOptions,
): Promise<T> {
  const { what, timeoutMs = DEFAULT_TIMEOUT_MS, everyMs = DEFAULT_EVERY_MS } = options;
  const deadline = performance.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== null && answer !== false) return answer;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > deadline)
      throw new Error(`${what}: not so within ${timeoutMs} ms`, { cause: lastError });
    await delay(everyMs);
  }
}
