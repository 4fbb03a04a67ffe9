import { buildReplay, type ReplayLayout, routedEvent } from '@posthorn/contracts';
import { type EventPayload, isDataError, type JobCursor } from '@posthorn/db';
import type { OutboundRecord, Producer } from '@posthorn/kafka';
import type { Clock, Logger, Tracing } from '@posthorn/runtime';
import { passesFilter, type TenantConfig, type TenantConfigs } from '@posthorn/tenant-config';
import type { Job, JobStore, ReplayTarget } from './job-store.ts';

export interface RunJobOptions extends ReplayLayout {
  readonly store: JobStore;
  readonly configs: Pick<TenantConfigs, 'get' | 'poll'>;
  readonly producer: Pick<Producer, 'send'>;
  readonly tracing: Pick<Tracing, 'begin'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly observe: Pick<JobObserver, 'asked'>;
  /** Aborted when this dispatcher stops. Resolves early then. */
  pause(ms: number, stop: AbortSignal): Promise<void>;
}

export interface JobObserver {
  /** Deliveries that were asked for, and those that were not: the payload is past its retention, or not wanted. */
  asked(done: number, refused: number): void;
  ended(result: JobResult): void;
}

/** `withdrawn`: it was cancelled, or another dispatcher has it. `left`: this dispatcher stops, another goes on. */
export type JobResult = 'done' | 'failed' | 'withdrawn' | 'left';

/** A page is half a second's worth, so that a cancellation is seen in time whatever the rate. */
const PAGE_SHARE_OF_SECOND = 0.5;
const MAX_PAGE = 250;
/** Payloads that are in memory at once. */
const CHUNK = 32;
const RETRY_MS = 1_000;

/**
 * Walks through what a job has chosen, at its rate: a page is produced, then its end is kept. A dispatcher that dies in
 * between makes the page be produced twice; each record says where its delivery stood, so the second is refused.
 */
export async function runJob(options: RunJobOptions, job: Job, stop: AbortSignal): Promise<JobResult> {
  const position = { cursor: job.cursor };
  for (;;) {
    try {
      return await walk(options, job, position, stop);
    } catch (error) {
      if (isFault(error)) {
        await options.store.finish(job.jobId, { state: 'failed', error: String(error) });
        return 'failed';
      }
      options.log.warn({ err: error, job_id: job.jobId }, 'a replay job waits for kafka or postgres');
    }
    await options.pause(RETRY_MS, stop);
    if (stop.aborted) return 'left';
  }
}

/** @throws what Kafka or Postgres throw; the position is then that of the last page that was kept. */
async function walk(
  options: RunJobOptions,
  job: Job,
  position: { cursor: JobCursor },
  stop: AbortSignal,
): Promise<JobResult> {
  const { store, clock, configs } = options;
  // A cancellation from before the job must not be taken for one from after it.
  await configs.poll();
  const pageSize = Math.min(MAX_PAGE, Math.max(1, Math.floor(job.ratePerSec * PAGE_SHARE_OF_SECOND)));
  let nextAtMs = clock.monotonicMs();
  // After whatever made us begin again it may be another's.
  let ours = await store.advance(job.jobId, { ...position, done: 0, refused: 0 });
  while (ours) {
    if (stop.aborted) {
      await store.leave(job.jobId);
      return 'left';
    }
    const { targets, next } = await store.page(job, position.cursor, pageSize);
    const done = await producePage(options, job, targets);
    const step = { cursor: next ?? position.cursor, done, refused: targets.length - done };
    ours = await store.advance(job.jobId, step);
    position.cursor = step.cursor;
    options.observe.asked(step.done, step.refused);
    if (ours && next === null) {
      await store.finish(job.jobId, { state: 'done', error: null });
      return 'done';
    }
    nextAtMs = Math.max(nextAtMs + (targets.length * 1_000) / job.ratePerSec, clock.monotonicMs());
    await options.pause(nextAtMs - clock.monotonicMs(), stop);
  }
  return 'withdrawn';
}

/** Gives back how many were asked for; of the others the payload is past its retention, or a filter refuses it. */
async function producePage(
  options: RunJobOptions,
  job: Job,
  targets: readonly ReplayTarget[],
): Promise<number> {
  let produced = 0;
  for (let from = 0; from < targets.length; from += CHUNK) {
    const records = await toRecords(options, job, targets.slice(from, from + CHUNK));
    await Promise.all(records.map((record) => options.producer.send(record)));
    produced += records.length;
  }
  return produced;
}

async function toRecords(
  options: RunJobOptions,
  { jobId, tenantId }: Job,
  targets: readonly ReplayTarget[],
): Promise<OutboundRecord[]> {
  const config = await configOf(options, tenantId);
  if (config === null) return [];
  const eventIds = [...new Set(targets.map(({ eventId }) => eventId))];
  const events = await options.store.loadEvents(tenantId, eventIds);
  return targets.flatMap((target) => {
    const { endpointId, expect } = target;
    const event = events.get(target.eventId);
    if (event === undefined || !isWanted(config, target, event)) return [];
    const asked = {
      slots: [endpointId],
      replayId: jobId,
      ...(expect ? { expect } : { missing: true }),
      revision: config.revision,
      traceparent: options.tracing.begin(undefined),
    };
    return [buildReplay(options, tenantId, event, asked)];
  });
}

/** The tenant's configuration now, since it is now that this is asked for; null for a tenant that is gone. */
async function configOf({ configs }: RunJobOptions, tenantId: string): Promise<TenantConfig | null> {
  const found = await configs.get(tenantId);
  if (found.kind === 'unavailable') throw new Error(found.reason);
  return found.kind === 'found' ? found.config : null;
}

/** What was never sent is chosen by type and labels; a content filter is looked at here, where the payload is. */
function isWanted(config: TenantConfig, { endpointId, expect }: ReplayTarget, event: EventPayload): boolean {
  if (expect !== null) return true;
  const endpoint = config.endpoints.get(endpointId);
  return endpoint === undefined || passesFilter(endpoint, routedEvent(event, event.payload));
}

/** What would be the same again: an error about the job's own data, a statement Postgres cannot read, a bug. */
function isFault(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  const unreadable = typeof code === 'string' && /^42[0-9A-Z]{3}$/.test(code);
  return isDataError(error) || unreadable || error instanceof TypeError || error instanceof RangeError;
}
