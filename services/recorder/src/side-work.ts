import type { TopicNames } from '@posthorn/contracts';
import {
  type Database,
  foldCounts,
  MAX_CLAIMS_REMOVED,
  readAuditHead,
  recountDeadLetters,
  removeOldClaims,
  takeExpungeStep,
  takePurgeStep,
} from '@posthorn/db';
import type { Producer } from '@posthorn/kafka';
import type { Logger } from '@posthorn/runtime';
import type { RecorderMetrics } from './metrics.ts';
import { MAX_EVENTS_PUBLISHED, publishAnnouncements } from './publish-announcements.ts';
import { createRepeat } from './repeat.ts';
import { createHeadTeller } from './tell-audit-head.ts';

const PUBLISH_INTERVAL_MS = 1_000;
const PURGE_INTERVAL_MS = 1_000;
const EXPUNGE_INTERVAL_MS = 5_000;
/** Counts in the API are as old as this. */
const FOLD_INTERVAL_MS = 5_000;
/** What no transaction has counted (a dropped partition, rows of another release) is in the counts after this. */
const RECOUNT_INTERVAL_MS = 300_000;
const CLAIMS_INTERVAL_MS = 60_000;
const HEAD_INTERVAL_MS = 60_000;

export interface SideWorkOptions {
  readonly database: Pick<Database, 'sql'>;
  readonly producer: Pick<Producer, 'sendAll'>;
  readonly topics: Pick<TopicNames, 'events'>;
  readonly eventPartitions: number;
  readonly metrics: RecorderMetrics;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

/** Work beside the record, each at intervals: telling the operator, marking what was cancelled, counting, cleaning. */
export interface SideWork {
  start(): void;
  publishSoon(): void;
  /** What is under way gets `timeoutMs`. */
  stop(timeoutMs: number): Promise<void>;
}

export function createSideWork(options: SideWorkOptions): SideWork {
  const { sql } = options.database;
  const { metrics, log } = options;
  const publisher = createRepeat({
    what: 'publishing operational events',
    intervalMs: PUBLISH_INTERVAL_MS,
    log,
    async work() {
      const published = await publishAnnouncements({ sql, ...options });
      metrics.announced.inc({ step: 'published' }, published);
      return published === MAX_EVENTS_PUBLISHED;
    },
  });
  const purger = createRepeat({
    what: 'marking what was cancelled',
    intervalMs: PURGE_INTERVAL_MS,
    log,
    async work() {
      const step = await takePurgeStep(sql);
      metrics.rowsCancelled.inc(step?.marked ?? 0);
      return step !== null;
    },
  });
  const counter = createRepeat({
    what: 'counting dead letters',
    intervalMs: RECOUNT_INTERVAL_MS,
    log,
    work: () => recountDeadLetters(sql).then(() => false),
  });
  const cleaner = createRepeat({
    what: 'removing claims of yesterday',
    intervalMs: CLAIMS_INTERVAL_MS,
    log,
    async work() {
      const removed = await removeOldClaims(sql);
      metrics.claimsRemoved.inc(removed);
      return removed === MAX_CLAIMS_REMOVED;
    },
  });
  const folder = createRepeat({
    what: 'adding up counts',
    intervalMs: FOLD_INTERVAL_MS,
    log,
    async work() {
      const { notes, more } = await foldCounts(sql);
      metrics.notesFolded.inc(notes);
      return more;
    },
  });
  const tellHead = createHeadTeller(() => readAuditHead(sql), log);
  const teller = createRepeat({
    what: 'telling where the audit log ends',
    intervalMs: HEAD_INTERVAL_MS,
    log,
    work: () => tellHead().then(() => false),
  });
  const expunger = createRepeat({
    what: 'expunging payloads',
    intervalMs: EXPUNGE_INTERVAL_MS,
    log,
    async work() {
      const step = await takeExpungeStep(sql);
      metrics.payloadsExpunged.inc(step?.expunged ?? 0);
      return step !== null;
    },
  });
  const all = [expunger, teller, folder, publisher, purger, counter, cleaner];
  return {
    start() {
      for (const repeat of all) repeat.start();
    },
    publishSoon: () => publisher.wake(),
    async stop(timeoutMs) {
      await Promise.all(all.map((repeat) => repeat.stop(timeoutMs)));
    },
  };
}
