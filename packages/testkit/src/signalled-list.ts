export interface SignalWait {
  readonly what: string | (() => string);
  readonly timeoutMs?: number | undefined;
}

/** A list that wakes its waiters at every push. */
export interface SignalledList<T> {
  readonly items: readonly T[];
  push(item: T): void;
  clear(): void;
  /** @throws Error when the condition did not hold in time, naming it. */
  waitFor(condition: () => boolean, options: SignalWait): Promise<void>;
}

/** Long: a machine that runs all tests at once may be that late, and nobody waits for it who is not failing. */
const DEFAULT_TIMEOUT_MS = 25_000;

/** Without a bound it keeps all; with one, the `keepItems` that came last. */
export function createSignalledList<T>(keepItems = Number.POSITIVE_INFINITY): SignalledList<T> {
  const items: T[] = [];
  const waiters = new Set<() => void>();
  return {
    items,
    push(item) {
      items.push(item);
      // Half at a time, so that each push does not move them all.
      if (items.length > 2 * keepItems) items.splice(0, items.length - keepItems);
      for (const wake of waiters) wake();
    },
    clear() {
      items.length = 0;
    },
    waitFor(condition, { what, timeoutMs = DEFAULT_TIMEOUT_MS }) {
      if (condition()) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiters.delete(wake);
          const named = typeof what === 'string' ? what : what();
          reject(new Error(`${named}: not so within ${timeoutMs} ms`));
        }, timeoutMs);
        const wake = () => {
          if (!condition()) return;
          clearTimeout(timer);
          waiters.delete(wake);
          resolve();
        };
        waiters.add(wake);
      });
    },
  };
}
