import type { EventPayload } from '@posthorn/db';
import type { ReplayTarget } from './build-replay-record.ts';

/** Where a job is: opaque, kept as JSON. */
export type JobCursor = unknown;

export interface Job {
  readonly jobId: string;
  readonly tenantId: string;
  readonly kind: 'dead_letters' | 'recover' | 'missing';
  readonly ratePerSec: number;
  readonly total: number | null;
  readonly cursor: JobCursor;
}

/** What jobs ask of Postgres. Every answer comes within a bound, or is an error. */
export interface JobStore {
  /** Takes the job that has waited longest, or one whose dispatcher has not been heard of; null when there is none. */
  claim(): Promise<Job | null>;
  /** What comes after the cursor; nothing at the end. */
  page(
    job: Job,
    cursor: JobCursor,
    limit: number,
  ): Promise<{ readonly targets: readonly ReplayTarget[]; readonly cursor: JobCursor }>;
  /** Null when its payload is past its retention. */
  loadEvent(tenantId: string, eventId: string): Promise<EventPayload | null>;
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

/** Takes no jobs: there is no table of them yet. */
export function createJobStore(_sql: unknown, _lease: { owner: string; leaseMs: number }): JobStore {
  const none = (): Promise<never> => Promise.reject(new Error('there are no jobs'));
  return { claim: async () => null, page: none, loadEvent: none, advance: none, leave: none, finish: none };
}
