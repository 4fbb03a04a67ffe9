import { normaliseTime } from '@posthorn/contracts';
import type { JobPlace, ReplayJobRow } from '@posthorn/db';
import Type, { type Static } from 'typebox';
import { actorOf } from '../../access/actor.ts';
import type { Caller } from '../../access/caller.ts';
import { tenantOfList } from '../../access/tenant-of.ts';
import type { App, AppParts } from '../../http/app.ts';
import { pageOf, pageQuery } from '../../http/cursor.ts';
import { AT, JOB, LATER, TENANT, WEBHOOK } from '../../http/examples.ts';
import { tenantFilter } from '../../http/fields.ts';
import { operation } from '../../http/operation.ts';
import { isProblem, notFound, type Problem, problem, sendProblem } from '../../http/problem.ts';
import { type Place, readPage } from '../../http/read-page.ts';
import { NoBody, Nullable } from '../../http/validation.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const JOB_EXAMPLE = {
  job_id: JOB,
  tenant_id: TENANT,
  kind: 'dead_letters' as const,
  state: 'running' as const,
  filters: { webhook_id: WEBHOOK },
  rate_per_sec: 100,
  total: 1_240,
  done: 300,
  refused: 2,
  eta_seconds: 10,
  error: null,
  created_at: AT,
  updated_at: LATER,
};

export const Job = Type.Object(
  {
    job_id: Type.String(),
    tenant_id: Type.String(),
    kind: Type.Enum(['dead_letters', 'recover', 'missing']),
    state: Type.Enum(['queued', 'running', 'done', 'cancelled', 'failed']),
    filters: Type.Record(Type.String(), Type.Unknown()),
    rate_per_sec: Type.Integer(),
    total: Type.Integer({
      description: 'What there was to do when it was asked for, counted up to 100,000.',
    }),
    done: Type.Integer(),
    refused: Type.Integer({ description: 'Past their retention.' }),
    eta_seconds: Nullable(Type.Integer()),
    error: Nullable(Type.String()),
    created_at: Type.String(),
    updated_at: Type.String(),
  },
  { title: 'Job', examples: [JOB_EXAMPLE] },
);

const Query = Type.Object({ ...tenantFilter, ...pageQuery }, { additionalProperties: false });
const JobParams = Type.Object({ job_id: Type.String({ examples: [JOB] }) });
const JobPage = pageOf(Job, 'JobPage', JOB_EXAMPLE);

export function jobRoutes(app: App, parts: AppParts): void {
  listJobs(app, parts);
  getJob(app, parts);
  cancelJob(app, parts);
}

function listJobs(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'listJobs',
    tag: 'Jobs',
    summary: 'List jobs',
    description: 'The latest first. An operator who names no tenant sees those of all.',
    access: { scope: 'read' },
    querystring: Query,
    answers: { 200: JobPage },
    problems: ['tenant_not_found'],
  });
  app.get('/jobs', declared, async (request, reply) => {
    const { query, caller } = request;
    const owner = tenantOfList(caller, query.tenant_id);
    if (isProblem(owner)) return sendProblem(reply, owner);
    const list = {
      path: '/jobs',
      query,
      ...owner,
      keyOf: (row: ReplayJobRow) => [row.createdAt.toISOString(), row.jobId],
      isKey: ([createdAt, jobId = '']: readonly string[]) =>
        normaliseTime(createdAt) !== null && UUID.test(jobId),
    };
    const page = await readPage(list, viewJob, (place) =>
      parts.store.listJobs(owner.tenantId, { limit: place.limit, place: toPlace(place) }),
    );
    return isProblem(page) ? sendProblem(reply, page) : reply.send(page);
  });
}

const toPlace = ({ at, backwards }: Place): JobPlace | null =>
  at && { direction: backwards ? 'prev' : 'next', createdAt: at[0]!, jobId: at[1]! };

function getJob(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'getJob',
    tag: 'Jobs',
    summary: 'Get a job',
    description: 'How far it is, and when it will be done at its rate.',
    access: { scope: 'read' },
    params: JobParams,
    answers: { 200: Job },
    problems: ['job_not_found'],
  });
  app.get('/jobs/:job_id', declared, async (request, reply) => {
    const { job_id: jobId } = request.params;
    const job = await findJob(parts, request.caller, jobId);
    return job ? reply.send(viewJob(job)) : sendProblem(reply, unknownJob(jobId));
  });
}

/** The dispatcher stops within 5 s; what it has asked for by then goes on. */
function cancelJob(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'cancelJob',
    tag: 'Jobs',
    summary: 'Cancel a job',
    description: 'It stops within 5 s; what it has asked for by then is sent.',
    access: { scope: 'manage' },
    params: JobParams,
    body: NoBody,
    answers: { 200: Job },
    problems: ['job_not_found', 'job_finished'],
  });
  app.post('/jobs/:job_id/cancel', declared, async (request, reply) => {
    const { job_id: jobId } = request.params;
    const { keyId } = request.caller;
    const job = await findJob(parts, request.caller, jobId);
    if (!job) return sendProblem(reply, unknownJob(jobId));
    if (!(await parts.store.cancelJob(job.tenantId, jobId, actorOf(request)))) {
      return sendProblem(reply, problem('job_finished', 'it cannot be cancelled any more'));
    }
    parts.log.info({ tenant_id: job.tenantId, job_id: jobId, key_id: keyId }, 'job cancelled');
    return reply.send(viewJob({ ...job, state: 'cancelled' }));
  });
}

/** One that the caller may see. */
const findJob = async ({ store }: AppParts, caller: Caller, jobId: string): Promise<ReplayJobRow | null> =>
  UUID.test(jobId) ? store.findJob(caller.tenantId, jobId) : null;

const unknownJob = (jobId: string): Problem => notFound('job_not_found', 'job', jobId);

export function viewJob(row: ReplayJobRow): Static<typeof Job> {
  const left = Math.max(0, row.total - row.done - row.refused);
  const isOver = row.state !== 'queued' && row.state !== 'running';
  return {
    job_id: row.jobId,
    tenant_id: row.tenantId,
    kind: row.kind,
    state: row.state,
    filters: viewFilters(row.filters),
    rate_per_sec: row.ratePerSec,
    total: row.total,
    done: row.done,
    refused: row.refused,
    eta_seconds: isOver ? null : Math.ceil(left / row.ratePerSec),
    error: row.error,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

/** As they were given, but that the ends of a time are `since` and, not included, `until`. */
function viewFilters(filters: ReplayJobRow['filters']): Record<string, unknown> {
  const { endpointId, eventType, since, until, reason, deliveryIds } = filters;
  const view = {
    webhook_id: endpointId,
    event_type: eventType,
    since,
    until,
    reason,
    delivery_ids: deliveryIds,
  };
  return Object.fromEntries(Object.entries(view).filter(([, value]) => value !== undefined));
}
