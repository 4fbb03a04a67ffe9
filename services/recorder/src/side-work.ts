import type { TopicNames } from '@posthorn/contracts';
import {
  countNotes,
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
import { createRepeat, type RepeatOptions } from './repeat.ts';
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
  const { log } = options;
  const publisher = createRepeat({ ...publishing(options), log });
  const others = [purging, recounting, removingClaims, folding, tellingHead, expunging];
  const all = [publisher, ...others.map((work) => createRepeat({ ...work(options), log }))];
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

type Work = (options: SideWorkOptions) => Omit<RepeatOptions, 'log'>;

const publishing: Work = ({ database: { sql }, metrics, ...options }) => ({
  what: 'publishing operational events',
  intervalMs: PUBLISH_INTERVAL_MS,
  async work() {
    const published = await publishAnnouncements({ sql, ...options });
    metrics.announced.inc({ step: 'published' }, published);
    return published === MAX_EVENTS_PUBLISHED;
  },
});

const purging: Work = ({ database: { sql }, metrics }) => ({
  what: 'marking what was cancelled',
  intervalMs: PURGE_INTERVAL_MS,
  async work() {
    const step = await takePurgeStep(sql);
    metrics.rowsCancelled.inc(step?.marked ?? 0);
    return step !== null;
  },
});

const recounting: Work = ({ database: { sql } }) => ({
  what: 'counting dead letters',
  intervalMs: RECOUNT_INTERVAL_MS,
  work: () => recountDeadLetters(sql).then(() => false),
});

const removingClaims: Work = ({ database: { sql }, metrics }) => ({
  what: 'removing claims of yesterday',
  intervalMs: CLAIMS_INTERVAL_MS,
  async work() {
    const removed = await removeOldClaims(sql);
    metrics.claimsRemoved.inc(removed);
    return removed === MAX_CLAIMS_REMOVED;
  },
});

const folding: Work = ({ database: { sql }, metrics }) => ({
  what: 'adding up counts',
  intervalMs: FOLD_INTERVAL_MS,
  async work() {
    const { notes, more } = await foldCounts(sql);
    metrics.notesFolded.inc(notes);
    metrics.notesWaiting.set(await countNotes(sql));
    return more;
  },
});

const tellingHead: Work = ({ database: { sql }, log }) => {
  const tellHead = createHeadTeller(() => readAuditHead(sql), log);
  return {
    what: 'telling where the audit log ends',
    intervalMs: HEAD_INTERVAL_MS,
    work: () => tellHead().then(() => false),
  };
};

const expunging: Work = ({ database: { sql }, metrics }) => ({
  what: 'expunging payloads',
  intervalMs: EXPUNGE_INTERVAL_MS,
  async work() {
    const step = await takeExpungeStep(sql);
    metrics.payloadsExpunged.inc(step?.expunged ?? 0);
    return step !== null;
  },
});
