import { setTimeout as wait } from 'node:timers/promises';
import { createRareWarning } from '../rare-warning.ts';
import type { Job } from './job-store.ts';
import { type JobObserver, type RunJobOptions, runJob } from './run-job.ts';

export type { JobObserver } from './run-job.ts';

export interface ReplayJobsOptions extends Omit<RunJobOptions, 'pause' | 'observe'> {
  readonly maxJobs: number;
  readonly pollMs: number;
  readonly observe: JobObserver;
}

/**
 * Bulk replays of the table of jobs, several at once. A job belongs to the dispatcher that holds its lease.
 *
 * Modes: new → polling (looks for jobs and runs them) → stopping (each job ends its page and is left) → stopped.
 */
export interface ReplayJobs {
  start(): void;
  /** Resolves when every job has been left. Safe twice and before start. */
  stop(): Promise<void>;
  readonly running: number;
}

export function createReplayJobs(options: ReplayJobsOptions): ReplayJobs {
  const { store, log, observe } = options;
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  const warn = createRareWarning(log, 'replay jobs cannot be looked for');
  let polling: Promise<void> | undefined;

  async function poll(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await takeJobs();
      } catch (error) {
        warn({ err: error });
      }
      await pause(options.pollMs, stopping.signal);
    }
  }

  async function takeJobs(): Promise<void> {
    while (running.size < options.maxJobs && !stopping.signal.aborted) {
      const job = await store.claim();
      if (job === null) return;
      const work = run(job).finally(() => running.delete(work));
      running.add(work);
    }
  }

  /** Never rejects. */
  async function run(job: Job): Promise<void> {
    const fields = { job_id: job.jobId, tenant_id: job.tenantId, kind: job.kind };
    log.info({ ...fields, rate_per_sec: job.ratePerSec, total: job.total }, 'replay job started');
    const count = { done: 0, refused: 0 };
    const asked = (done: number, refused: number): void => {
      count.done += done;
      count.refused += refused;
      observe.asked(done, refused);
    };
    try {
      const result = await runJob({ ...options, pause, observe: { asked } }, job, stopping.signal);
      observe.ended(result);
      log.info({ ...fields, ...count, result }, 'replay job ended');
    } catch (error) {
      // Its lease runs out, and it is claimed again.
      log.error({ ...fields, ...count, err: error }, 'replay job broke off');
    }
  }

  return {
    start() {
      if (options.maxJobs > 0) polling ??= poll();
    },
    async stop() {
      stopping.abort();
      await polling;
      await Promise.all(running);
    },
    get running() {
      return running.size;
    },
  };
}

/** Ends early, and quietly, when told to stop. */
async function pause(ms: number, stop: AbortSignal): Promise<void> {
  if (ms > 0) await wait(ms, undefined, { signal: stop, ref: false }).catch(() => undefined);
}
