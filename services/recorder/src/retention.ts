import {
  addDays,
  countUnpartitionedRows,
  type Database,
  dropExpiredPartitions,
  ensurePartitions,
  keptDays,
  noteMissedAttemptDays,
} from '@posthorn/db';
import type { Clock, Logger } from '@posthorn/runtime';
import type { RecorderMetrics } from './metrics.ts';
import { removeOldRows } from './upkeep.ts';

export const RETENTION_INTERVAL_MS = 3_600_000;
export const RETRY_INTERVAL_MS = 10_000;
/** Events of yesterday still arrive after midnight. */
const DAYS_BEHIND = 1;
/** So that a recorder which is down for a weekend finds its partitions. */
const DAYS_AHEAD = 3;

export interface RetentionOptions {
  readonly database: Pick<Database, 'sql'>;
  readonly clock: Clock;
  readonly metrics: RecorderMetrics;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

/** Makes the partitions of the days to come and drops what is past retention: at start, then every hour. */
export interface Retention {
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createRetention(options: RetentionOptions): Retention {
  const { log } = options;
  let timer: NodeJS.Timeout | undefined;
  let running = false;
  let turn: Promise<void> = Promise.resolve();

  async function takeTurn(): Promise<void> {
    let nextMs = RETENTION_INTERVAL_MS;
    try {
      await keepPartitions(options);
    } catch (error) {
      log.warn({ err: error }, 'partitions could not be kept up, trying again');
      nextMs = RETRY_INTERVAL_MS;
    }
    if (!running) return;
    timer = setTimeout(() => {
      turn = takeTurn().then(noteMissedDays);
    }, nextMs);
  }

  /** Lists lack these attempts until then; nothing else waits for it. */
  async function noteMissedDays(): Promise<void> {
    const { database, clock } = options;
    await noteMissedAttemptDays(database.sql, keptDays(clock.nowMs())).catch((error: unknown) =>
      log.warn({ err: error }, 'days of attempts were not looked through, trying again in an hour'),
    );
  }

  return {
    async start() {
      running = true;
      turn = takeTurn();
      await turn;
      turn = noteMissedDays();
    },
    async stop() {
      running = false;
      clearTimeout(timer);
      await turn;
    },
  };
}

export async function keepPartitions({ database, clock, metrics, log }: RetentionOptions): Promise<void> {
  const today = new Date(clock.nowMs()).toISOString().slice(0, 10);
  const made = await ensurePartitions(database.sql, addDays(today, -DAYS_BEHIND), addDays(today, DAYS_AHEAD));
  const dropped = await dropExpiredPartitions(database.sql, today);
  metrics.partitions.inc({ change: 'made' }, made.length);
  metrics.partitions.inc({ change: 'dropped' }, dropped.length);
  if (made.length + dropped.length > 0)
    log.info({ made: made.length, dropped: dropped.length }, 'record partitions changed');
  await removeOldRows(database.sql, clock.nowMs());
  const stray = await countUnpartitionedRows(database.sql);
  metrics.unpartitionedRows.set(stray);
  if (stray > 0) log.warn({ rows: stray }, 'rows of the record lie outside of their days');
}
