import type { Logger } from '@posthorn/runtime';

/**
 * What is known about Postgres without asking in a request: whether it answers, and how many dead letters those tenants
 * have that have filled half of their quota. Modes: *up* and *down*; a failed question anywhere puts it down at once,
 * the next answered ping up again. While it is down the last known counts hold.
 */
export interface PostgresWatch {
  readonly up: boolean;
  reportDown(): void;
  /** 0 while it is less than half of the quota. */
  countDeadLetters(tenantId: string): number;
  /** Resolves after the first round, whatever came of it. */
  start(): Promise<void>;
  stop(): void;
}

export interface PostgresWatchOptions {
  readonly ping: () => Promise<boolean>;
  readonly deadLetterCounts: () => Promise<ReadonlyMap<string, number>>;
  readonly log: Logger;
  readonly intervalMs?: number;
}

/** Counts are at most this and one query old. */
export const WATCH_INTERVAL_MS = 1_000;

export function createPostgresWatch(options: PostgresWatchOptions): PostgresWatch {
  const { log, intervalMs = WATCH_INTERVAL_MS } = options;
  let up = true;
  let counts: ReadonlyMap<string, number> = new Map();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  function set(next: boolean): void {
    if (next !== up) log[next ? 'info' : 'warn']({}, next ? 'postgres answers again' : 'postgres is away');
    up = next;
  }

  async function round(): Promise<void> {
    try {
      set(await options.ping());
      if (up) counts = await options.deadLetterCounts();
    } catch {
      set(false);
    }
    if (!stopped) timer = setTimeout(round, intervalMs);
  }

  return {
    get up() {
      return up;
    },
    reportDown: () => set(false),
    countDeadLetters: (tenantId) => counts.get(tenantId) ?? 0,
    start: round,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
