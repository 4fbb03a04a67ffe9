import type { ReplayJobRow } from '@posthorn/db';
import Type, { type Static } from 'typebox';
import { actorOf } from '../../access/actor.ts';
import { type Caller, mayActFor } from '../../access/auth.ts';
import { unknownTenant } from '../../access/authorise.ts';
import type { App, AppParts } from '../../http/app.ts';
import { type Problem, problem, sendProblem } from '../../http/problem.ts';
import { integerText, NoBody, Nullable } from '../../http/validation.ts';

const DEFAULT_LISTED = 20;
const MAX_LISTED = 100;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export const Job = Type.Object({
  job_id: Type.String(),
  tenant_id: Type.String(),
  kind: Type.String(),
  state: Type.String(),
  filters: Type.Record(Type.String(), Type.Unknown()),
  rate_per_sec: Type.Integer(),
  total: Type.Integer(),
  done: Type.Integer(),
  refused: Type.Integer(),
  eta_seconds: Nullable(Type.Integer()),
  error: Nullable(Type.String()),
  created_at: Type.String(),
  updated_at: Type.String(),
});

const Query = Type.Object(
  {
    tenant_id: Type.Optional(Type.String()),
    limit: Type.Optional(integerText(1, MAX_LISTED)),
  },
  { additionalProperties: false },
);

interface OfJob {
  Params: { job_id: string };
}

export function jobRoutes(app: App, parts: AppParts): void {
  const schema = { querystring: Query, response: { 200: Type.Object({ data: Type.Array(Job) }) } };
  app.get('/jobs', { schema }, async (request, reply) => {
    const { query, caller } = request;
    const tenantId = query.tenant_id ?? caller.tenantId;
    if (tenantId !== null && !mayActFor(caller, tenantId)) return sendProblem(reply, unknownTenant(tenantId));
    const limit = Number(query.limit ?? DEFAULT_LISTED);
    const rows = await parts.store.listJobs(tenantId, limit);
    return reply.send({ data: rows.map(viewJob) });
  });
  app.get<OfJob>('/jobs/:job_id', { schema: { response: { 200: Job } } }, async (request, reply) => {
    const { job_id: jobId } = request.params;
    const job = await findJob(parts, request.caller, jobId);
    return job ? reply.send(viewJob(job)) : sendProblem(reply, unknownJob(jobId));
  });
  cancelJob(app, parts);
}

/** The dispatcher stops within 5 s; what it has asked for by then goes on. */
function cancelJob(app: App, parts: AppParts): void {
  const schema = { body: NoBody, response: { 200: Job } };
  app.post<OfJob>('/jobs/:job_id/cancel', { schema }, async (request, reply) => {
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

const unknownJob = (jobId: string): Problem =>
  problem('job_not_found', `there is no job ${JSON.stringify(jobId.slice(0, 64))}`);

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

/** As they were given. */
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
