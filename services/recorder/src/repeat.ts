import { type Logger, within } from '@posthorn/runtime';

export interface RepeatOptions {
  /** In the log, when it fails. */
  readonly what: string;
  readonly intervalMs: number;
  /** Whether there is more to do at once. */
  work(): Promise<boolean>;
  readonly log: Pick<Logger, 'warn'>;
}

/**
 * Does a piece of work at every interval, and at once when woken or while there is more of it; what fails is tried
 * again at the next interval.
 *
 * Modes: stopped ⇄ (waiting ⇄ working). `stop` lets the work under way end, within `timeoutMs`.
 */
export interface Repeat {
  start(): void;
  wake(): void;
  stop(timeoutMs: number): Promise<void>;
}

export function createRepeat({ what, intervalMs, work, log }: RepeatOptions): Repeat {
  let running = false;
  let woken = false;
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<void> | undefined;

  async function takeTurn(): Promise<void> {
    try {
      do woken = false;
      while (((await work()) || woken) && running);
    } catch (error) {
      log.warn({ err: error, work: what }, 'work beside the record failed, trying again');
    }
    turn = undefined;
    if (running) timer = setTimeout(begin, intervalMs);
  }

  function begin(): void {
    clearTimeout(timer);
    turn ??= takeTurn();
  }

  return {
    start() {
      if (running) return;
      running = true;
      begin();
    },
    wake() {
      woken = true;
      if (running) begin();
    },
    async stop(timeoutMs) {
      running = false;
      clearTimeout(timer);
      if (turn !== undefined) await within(timeoutMs, turn, () => undefined);
    },
  };
}
