import type { Logger } from '@posthorn/runtime';

/** How many dead letters those tenants have that have filled half of their quota: at most a poll and a query old. */
export interface DeadLetterWatch {
  /** 0 while it is less than half of the quota; the last known count while Postgres is away. */
  count(tenantId: string): number;
  /** Resolves after the first look, whatever came of it. */
  start(): Promise<void>;
  stop(): void;
}

export interface DeadLetterWatchOptions {
  readonly read: () => Promise<ReadonlyMap<string, number>>;
  readonly log: Pick<Logger, 'debug'>;
  readonly intervalMs?: number;
}

const INTERVAL_MS = 1_000;

export function createDeadLetterWatch(options: DeadLetterWatchOptions): DeadLetterWatch {
  const { read, log, intervalMs = INTERVAL_MS } = options;
  let counts: ReadonlyMap<string, number> = new Map();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  async function look(): Promise<void> {
    try {
      counts = await read();
    } catch (error) {
      log.debug({ err: error }, 'dead letters cannot be counted, the last counts hold');
    }
    if (!stopped) timer = setTimeout(look, intervalMs);
  }

  return {
    count: (tenantId) => counts.get(tenantId) ?? 0,
    start: look,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
