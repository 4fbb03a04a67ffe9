import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '@posthorn/runtime';

export const ASK_AGAIN_MS = 250;

/**
 * Asks until it is answered, `timeoutMs` at most.
 * @throws Error naming what did not answer, with the last failure.
 */
export async function waitFor<T>(
  what: string,
  ask: () => Promise<T>,
  options: {
    readonly timeoutMs: number;
    readonly clock: Clock;
    readonly wait?: (ms: number) => Promise<unknown>;
    readonly waiting?: (line: string) => void;
    /** Whether an error is an answer by itself, one that waiting does not change. */
    readonly isFinal?: (error: unknown) => boolean;
  },
): Promise<T> {
  const { clock, wait = delay } = options;
  const deadline = clock.monotonicMs() + options.timeoutMs;
  for (let asked = 0; ; asked++) {
    try {
      return await ask();
    } catch (error) {
      const why = reasonOf(error);
      if (options.isFinal?.(error)) throw new Error(`${what}: ${why}`, { cause: error });
      if (clock.monotonicMs() >= deadline)
        throw new Error(`${what} did not answer within ${options.timeoutMs / 1_000} s (${why})`, {
          cause: error,
        });
      if (asked === 0) options.waiting?.(`waiting for ${what} (${why})`);
    }
    await wait(ASK_AGAIN_MS);
  }
}

export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // An AggregateError of several refused addresses has no message of its own.
  const text = error.message || (error as NodeJS.ErrnoException).code || error.name;
  return text.replaceAll(/\s+/g, ' ').slice(0, 300);
}
