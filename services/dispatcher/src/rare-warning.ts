import type { Logger } from '@posthorn/runtime';

export type RareWarning = (fields: Record<string, unknown>) => void;

const PAUSE_MS = 1_000;

/**
 * An outage meets thousands of records at once: a line a second says as much, with how many it stands for in
 * `records`. The first of a calm is said at once, and what follows in its second with the next.
 */
export function createRareWarning(log: Logger, message: string): RareWarning {
  let unsaid = 0;
  let pause: NodeJS.Timeout | undefined;
  return (fields) => {
    unsaid += 1;
    if (pause) return;
    log.warn({ ...fields, records: unsaid }, message);
    unsaid = 0;
    pause = setTimeout(() => {
      pause = undefined;
    }, PAUSE_MS);
    pause.unref();
  };
}
