import type { EndpointId, EventId } from '@posthorn/contracts';
import {
  advanceJob,
  claimJob,
  type EventPayload,
  findEventPayloads,
  finishJob,
  type JobCursor,
  leaveJob,
  pageDeadLetters,
  pageMissingEvents,
  type ReplayJobRow,
  type Sql,
  within,
} from '@posthorn/db';

export type Job = Pick<
  ReplayJobRow,
  'jobId' | 'tenantId' | 'kind' | 'filters' | 'ratePerSec' | 'total' | 'cursor' | 'createdAt'
>;

export interface ReplayTarget {
  readonly tenantId: string;
  readonly eventId: EventId;
  readonly endpointId: EndpointId;
  /** Where the delivery stood when it was chosen; null for what was never sent. */
  readonly expect: { readonly run: number; readonly round: number } | null;
}

export interface JobPage {
  /** May be none although there is a next page. */
  readonly targets: readonly ReplayTarget[];
  /** Null: this was the last page. */
  readonly next: JobCursor;
}

/** What jobs ask of Postgres. Every answer comes within a bound, or is an error. */
export interface JobStore {
  /** Takes the job that has waited longest, or one whose dispatcher has not been heard of; null when there is none. */
  claim(): Promise<Job | null>;
  page(job: Job, cursor: JobCursor, limit: number): Promise<JobPage>;
  /** By id, without those whose payload is past its retention. */
  loadEvents(tenantId: string, eventIds: readonly string[]): Promise<ReadonlyMap<string, EventPayload>>;
  /** Keeps the cursor, counts, and holds the lease; false when the job was cancelled or is another's. */
  advance(
    jobId: string,
    step: { readonly cursor: JobCursor; readonly done: number; readonly refused: number },
  ): Promise<boolean>;
  /** Gives the lease back, so that another dispatcher goes on at once. */
  leave(jobId: string): Promise<void>;
  finish(
    jobId: string,
    end: { readonly state: 'done' | 'failed'; readonly error: string | null },
  ): Promise<void>;
}

/** Below the time-out of a statement on the server: a page looks through many events. */
const QUERY_TIMEOUT_MS = 10_000;

export function createJobStore(
  sql: Sql,
  { owner, leaseMs }: { readonly owner: string; readonly leaseMs: number },
): JobStore {
  const bounded = <T>(query: Promise<T>): Promise<T> => within(QUERY_TIMEOUT_MS, query);
  return {
    claim: () => bounded(claimJob(sql, { owner, leaseMs })),
    page: (job, cursor, limit) => bounded(readPage(sql, job, cursor, limit)),
    loadEvents: (tenantId, eventIds) => bounded(findEventPayloads(sql, tenantId, eventIds)),
    advance: (jobId, step) => bounded(advanceJob(sql, jobId, owner, { ...step, leaseMs })),
    leave: (jobId) => bounded(leaveJob(sql, jobId, owner)),
    finish: (jobId, end) => bounded(finishJob(sql, jobId, owner, end)),
  };
}

async function readPage(sql: Sql, job: Job, cursor: JobCursor, limit: number): Promise<JobPage> {
  const { tenantId, filters } = job;
  switch (job.kind) {
    case 'dead_letters':
    case 'recover': {
      const untilMs = job.createdAt.getTime();
      const page = await pageDeadLetters(sql, tenantId, filters, { cursor, limit, untilMs });
      const targets = page.rows.map(({ run, round, ...row }) => ({ ...row, expect: { run, round } }));
      return { targets, next: page.cursor };
    }
    case 'missing': {
      const page = await pageMissingEvents(sql, tenantId, filters, { cursor, limit });
      return { targets: page.rows.map((row) => ({ ...row, expect: null })), next: page.cursor };
    }
    default:
      return job.kind satisfies never;
  }
}
