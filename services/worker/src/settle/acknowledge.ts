import { JournalError } from '@posthorn/journal';
import type { Logger } from '@posthorn/runtime';

export interface AcknowledgeOptions {
  readonly log: Logger;
  /** Something could not be written; nothing new should start. */
  onStalled(): void;
  /** All that could not be written is. */
  onFlowing(): void;
  onRetry(): void;
  /** Ends with the service: what is not acknowledged then stays unfinished and is tried again by the next owner. */
  readonly stopped: AbortSignal;
  wait(ms: number): Promise<void>;
}

/**
 * Asks a write until it is acknowledged. Nothing may be lost, so there is no last try while the process lives and the
 * slot is ours; what grows is only the wait between two.
 */
export interface Acknowledger {
  /** False when the write was given up: the service stopped, or `wanted` is no longer so. */
  untilAcknowledged(write: () => Promise<unknown>, wanted?: () => boolean): Promise<boolean>;
  readonly stalled: number;
}

const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2_000;

export function createAcknowledger(options: AcknowledgeOptions): Acknowledger {
  let stalled = 0;

  async function retry(write: () => Promise<unknown>, wanted: () => boolean): Promise<boolean> {
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
      await options.wait(waitMs);
      if (options.stopped.aborted || !wanted()) return false;
      options.onRetry();
      const end = await ask(write);
      if (end !== 'failed') return end === 'acknowledged';
    }
  }

  async function ask(write: () => Promise<unknown>): Promise<'acknowledged' | 'failed' | 'never'> {
    try {
      await write();
      return 'acknowledged';
    } catch (error) {
      if (isHopeless(error)) {
        options.log.error({ err: error }, 'outcome not journaled');
        return 'acknowledged';
      }
      if (stalled <= 1) options.log.warn({ err: error }, 'write not acknowledged, asking again');
      return error instanceof JournalError && error.code === 'stopped' ? 'never' : 'failed';
    }
  }

  return {
    async untilAcknowledged(write, wanted = () => true) {
      const first = await ask(write);
      if (first !== 'failed') return first === 'acknowledged';
      stalled += 1;
      if (stalled === 1) options.onStalled();
      try {
        return await retry(write, wanted);
      } finally {
        stalled -= 1;
        if (stalled === 0) options.onFlowing();
      }
    },
    get stalled() {
      return stalled;
    },
  };
}

/** An entry that fits no batch never will; a lane that waits for it would wait for ever. */
function isHopeless(error: unknown): boolean {
  return error instanceof JournalError && error.code === 'too_large';
}
