import { within } from '@posthorn/runtime';

/** Lets whoever drains wait until nothing is under way. */
export interface IdleWait {
  /** To be called when something has ended. */
  look(): void;
  /** Whether nothing was under way any more within the time given. */
  whenIdle(timeoutMs: number): Promise<boolean>;
}

export function createIdleWait(underWay: () => number): IdleWait {
  const waiting = new Set<() => void>();
  return {
    look() {
      if (underWay() === 0) for (const resolve of waiting) resolve();
    },
    async whenIdle(timeoutMs) {
      if (underWay() === 0) return true;
      const { promise, resolve } = Promise.withResolvers<true>();
      const done = () => resolve(true);
      waiting.add(done);
      const isIdle = await within(timeoutMs, promise, () => false);
      waiting.delete(done);
      return isIdle;
    },
  };
}
