import type { JSONValue } from 'postgres';
import { inTransaction, type Sql } from './database.ts';

/** What a job replays: dead letters, all that failed of one endpoint, or what was never sent to it. */
export type ReplayJobKind = 'dead_letters' | 'recover' | 'missing';
export type ReplayJobState = 'queued' | 'running' | 'done' | 'cancelled' | 'failed';

/** All that are given hold. Times in RFC 3339; `since` is included, `until` is not. */
export interface ReplayJobFilters {
  /** Required of `recover` and `missing`. */
  readonly endpointId?: string;
  readonly eventType?: string;
  readonly since?: string;
  readonly until?: string;
  readonly reason?: string;
  readonly deliveryIds?: readonly string[];
}

export interface NewReplayJob {
  /** UUID. */
  readonly jobId: string;
  readonly tenantId: string;
  readonly kind: ReplayJobKind;
  readonly filters: ReplayJobFilters;
  readonly ratePerSec: number;
  readonly total: number;
  /** The id of the key that asked. */
  readonly createdBy: string;
}

/** Where a job's next page starts: opaque, kept as JSON. */
export type JobCursor = JSONValue;

export interface ReplayJobRow extends Omit<NewReplayJob, 'createdBy'> {
  readonly state: ReplayJobState;
  readonly done: number;
  readonly refused: number;
  readonly cursor: JobCursor;
  readonly error: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Of one tenant, waiting or running. */
export const MAX_OPEN_JOBS = 20;
/** Of one tenant, with a lease that holds: its long jobs leave places to others. */
export const MAX_RUNNING_JOBS = 4;
/** Any fixed number: the advisory lock that lets one claim be made at a time. */
const CLAIM_LOCK = 4_702_119;

/** `too_many` when that many of the tenant's jobs are waiting or running. */
export async function createJob(
  sql: Sql,
  job: NewReplayJob,
): Promise<{ kind: 'created'; row: ReplayJobRow } | { kind: 'too_many'; limit: number }> {
  return inTransaction(sql, async (transaction) => {
    // Those who ask at the same time wait for each other, so that the count holds.
    await transaction`select 1 from tenants where tenant_id = ${job.tenantId} for no key update`;
    const [open] = await transaction<{ count: number }[]>`
      select count(*)::int as count from replay_jobs
      where tenant_id = ${job.tenantId} and state in ('queued', 'running')`;
    if (open!.count >= MAX_OPEN_JOBS) return { kind: 'too_many', limit: MAX_OPEN_JOBS };
    const [row] = await transaction<ReplayJobRow[]>`
      insert into replay_jobs (job_id, tenant_id, kind, filters, rate_per_sec, total, created_by)
      values (${job.jobId}::uuid, ${job.tenantId}, ${job.kind}, ${transaction.json({ ...job.filters } as JSONValue)},
              ${job.ratePerSec}, ${job.total}, ${job.createdBy})
      returning ${jobColumns(transaction)}`;
    return { kind: 'created', row: row! };
  });
}

/** Null for an unknown one and for another tenant's; of any tenant when `tenantId` is null. */
export async function findJob(
  sql: Sql,
  tenantId: string | null,
  jobId: string,
): Promise<ReplayJobRow | null> {
  const [row] = await sql<ReplayJobRow[]>`
    select ${jobColumns(sql)} from replay_jobs where job_id = ${jobId}::uuid and ${ofTenant(sql, tenantId)}`;
  return row ?? null;
}

/** A job beside which a page starts, without it. */
export interface JobPlace {
  readonly direction: 'next' | 'prev';
  /** RFC 3339, to the millisecond: as far as places are told apart. */
  readonly createdAt: string;
  readonly jobId: string;
}

/** The latest first, or the oldest behind a place of direction `prev`. Without a tenant: of all. */
export async function listJobs(
  sql: Sql,
  tenantId: string | null,
  { limit, place }: { readonly limit: number; readonly place?: JobPlace | null },
): Promise<ReplayJobRow[]> {
  const order = sql`date_trunc('milliseconds', created_at)`;
  const of = ofTenant(sql, tenantId);
  if (!place) {
    return sql<ReplayJobRow[]>`
      select ${jobColumns(sql)} from replay_jobs where ${of}
      order by ${order} desc, job_id desc limit ${limit}`;
  }
  const from = sql`(${place.createdAt}::timestamptz, ${place.jobId}::uuid)`;
  if (place.direction === 'prev') {
    return sql<ReplayJobRow[]>`
      select ${jobColumns(sql)} from replay_jobs where ${of} and (${order}, job_id) > ${from}
      order by ${order}, job_id limit ${limit}`;
  }
  return sql<ReplayJobRow[]>`
    select ${jobColumns(sql)} from replay_jobs where ${of} and (${order}, job_id) < ${from}
    order by ${order} desc, job_id desc limit ${limit}`;
}

/** False when there is none of that id, or it is over. */
export async function cancelJob(sql: Sql, tenantId: string | null, jobId: string): Promise<boolean> {
  const cancelled = await sql`
    update replay_jobs set state = 'cancelled', lease_owner = null, lease_until = null, updated_at = now()
    where job_id = ${jobId}::uuid and ${ofTenant(sql, tenantId)} and state in ('queued', 'running')
    returning job_id`;
  return cancelled.length > 0;
}

/**
 * Takes the job that has waited longest, or one whose owner has let its lease run out; null when there is none. A job
 * is passed over while `MAX_RUNNING_JOBS` others of its tenant are running.
 * `leaseMs` counts by Postgres' clock.
 */
export async function claimJob(
  sql: Sql,
  lease: { readonly owner: string; readonly leaseMs: number },
): Promise<ReplayJobRow | null> {
  return inTransaction(sql, async (transaction) => {
    // In a statement of its own: what is counted below are then the claims of all who came before.
    await transaction`select pg_advisory_xact_lock(${CLAIM_LOCK}::bigint)`;
    const [row] = await transaction<ReplayJobRow[]>`
      update replay_jobs set state = 'running', lease_owner = ${lease.owner}, updated_at = now(),
                             lease_until = now() + ${lease.leaseMs} * interval '1 millisecond'
      where job_id = (
        select job_id from replay_jobs job
        where (state = 'queued' or (state = 'running' and (lease_until is null or lease_until < now())))
          and ${MAX_RUNNING_JOBS} > (
            select count(*) from replay_jobs other
            where other.tenant_id = job.tenant_id and other.job_id <> job.job_id
              and other.state = 'running' and other.lease_until >= now())
        order by created_at, job_id limit 1 for update skip locked
      )
      returning ${jobColumns(transaction)}`;
    return row ?? null;
  });
}

/** Keeps where the job is, adds to its counts, and holds the lease. False when it was cancelled or is another's. */
export async function advanceJob(
  sql: Sql,
  jobId: string,
  owner: string,
  step: {
    readonly cursor: JobCursor;
    readonly done: number;
    readonly refused: number;
    readonly leaseMs: number;
  },
): Promise<boolean> {
  const advanced = await sql`
    update replay_jobs set cursor = ${sql.json(step.cursor)}, done = done + ${step.done}::int,
                           refused = refused + ${step.refused}::int, updated_at = now(),
                           lease_until = now() + ${step.leaseMs} * interval '1 millisecond'
    where job_id = ${jobId}::uuid and lease_owner = ${owner} and state = 'running'
    returning job_id`;
  return advanced.length > 0;
}

/** Gives the lease back: another owner goes on at once. */
export async function leaveJob(sql: Sql, jobId: string, owner: string): Promise<void> {
  await sql`
    update replay_jobs set lease_owner = null, lease_until = null, updated_at = now()
    where job_id = ${jobId}::uuid and lease_owner = ${owner} and state = 'running'`;
}

/** Nothing for a job that was cancelled or is another's. */
export async function finishJob(
  sql: Sql,
  jobId: string,
  owner: string,
  end: { readonly state: 'done' | 'failed'; readonly error: string | null },
): Promise<void> {
  await sql`
    update replay_jobs set state = ${end.state}, error = ${end.error}, lease_owner = null, lease_until = null,
                           updated_at = now()
    where job_id = ${jobId}::uuid and lease_owner = ${owner} and state = 'running'`;
}

/** Removes those that were over a month ago; gives back how many. */
export async function removeFinishedJobs(sql: Sql): Promise<number> {
  const removed = await sql`
    delete from replay_jobs
    where state in ('done', 'cancelled', 'failed') and updated_at < now() - interval '30 days'`;
  return removed.count;
}

const ofTenant = (sql: Sql, tenantId: string | null) =>
  tenantId === null ? sql`true` : sql`tenant_id = ${tenantId}`;

const jobColumns = (sql: Sql) => sql`
  job_id, tenant_id, kind, filters, rate_per_sec, state, total, done, refused, cursor, error, created_at, updated_at`;
