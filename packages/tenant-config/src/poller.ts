/**
 * Polls at intervals, and when it is asked to. At most one poll is under way, and those who ask meanwhile wait for the
 * one after it: so what they see was read after they asked.
 *
 * Modes: stopped ⇄ (waiting ⇄ polling).
 */
export interface Poller {
  /** Returns after the first poll. */
  start(): Promise<void>;
  /** Waits for the poll under way; false when it was stopped already. */
  stop(): Promise<boolean>;
  poll(): Promise<boolean>;
}

/** `pollOnce` never rejects: it says whether it was answered. */
export function createPoller(pollOnce: () => Promise<boolean>, intervalMs: number): Poller {
  let running = false;
  let timer: NodeJS.Timeout | undefined;
  let polling: Promise<boolean> | undefined;
  let pollingNext: Promise<boolean> | undefined;

  function poll(): Promise<boolean> {
    if (polling === undefined) {
      polling = pollOnce().finally(() => {
        polling = undefined;
      });
      return polling;
    }
    pollingNext ??= polling.then(() => {
      pollingNext = undefined;
      return poll();
    });
    return pollingNext;
  }

  function schedule(): void {
    if (running) timer = setTimeout(() => void poll().then(schedule), intervalMs);
  }

  return {
    async start() {
      if (running) return;
      running = true;
      await poll();
      schedule();
    },
    async stop() {
      if (!running) return false;
      running = false;
      clearTimeout(timer);
      await polling;
      return true;
    },
    poll,
  };
}
