import type { PlanRow } from '@posthorn/db';
import Type from 'typebox';
import { actorOf } from '../../access/actor.ts';
import { confirmChange } from '../../access/authorise.ts';
import type { App, AppParts } from '../../http/app.ts';
import { OPERATORS, operation } from '../../http/operation.ts';
import {
  invalidRequest,
  isProblem,
  notFound,
  type Problem,
  problem,
  sendProblem,
} from '../../http/problem.ts';
import { byText, readPage } from '../../http/read-page.ts';
import { NoBody } from '../../http/validation.ts';
import { tooManyLanes } from '../lanes/routes.ts';
import {
  isPlanId,
  NewPlan,
  PLAN_ID_RULE,
  Plan,
  PlanPage,
  PlanParams,
  PlanQuery,
  viewPlan,
} from './schema.ts';

const DEFAULT_RETENTION_DAYS = 30;

export function planRoutes(app: App, parts: AppParts): void {
  putPlan(app, parts);
  listPlans(app, parts);
  getPlan(app, parts);
  deletePlan(app, parts);
}

function putPlan(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'putPlan',
    tag: 'Quotas',
    summary: 'Create or replace a plan',
    description:
      'Its tenants have what it says at once, but for what is their own. `default` is the plan of a tenant that is given none.',
    access: { scope: 'manage', callers: OPERATORS },
    params: PlanParams,
    body: NewPlan,
    answers: { 200: Plan, 201: Plan },
    problems: ['too_many_lanes', 'change_unconfirmed'],
  });
  app.put('/plans/:plan_id', declared, async (request, reply) => {
    const { plan_id: planId } = request.params;
    if (!isPlanId(planId)) return sendProblem(reply, INVALID_ID);
    const { name = '', quotas, dlq_policy = 'refuse', retention_days } = request.body;
    const plan = {
      planId,
      name,
      quotas: {
        maxEventsPerSec: quotas.max_events_per_sec,
        maxConcurrentDeliveries: quotas.max_concurrent_deliveries,
        maxDlqSize: quotas.max_dlq_size,
        maxWebhooks: quotas.max_webhooks,
        dlqPolicy: dlq_policy,
      },
      retentionDays: retention_days ?? DEFAULT_RETENTION_DAYS,
    } as const;
    const put = await parts.store.plans.put(plan, actorOf(request));
    if (put.kind === 'over_cap') return sendProblem(reply, tooManyLanes(put.lanes, put.cap, put.tenantId));
    const open = await confirmChange(parts.tenants, put.change, { plan_id: planId });
    if (open) return sendProblem(reply, open);
    parts.log.info({ plan_id: planId, key_id: request.caller.keyId }, 'plan put');
    return reply.code(put.before === null ? 201 : 200).send(viewPlan(put.plan));
  });
}

const INVALID_ID = invalidRequest([{ pointer: '/plan_id', detail: PLAN_ID_RULE }]);

const unknownPlan = (planId: string): Problem => notFound('plan_not_found', 'plan', planId);

function listPlans(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'listPlans',
    tag: 'Quotas',
    summary: 'List plans',
    description: 'By id.',
    access: { scope: 'read', callers: OPERATORS },
    querystring: PlanQuery,
    answers: { 200: PlanPage },
  });
  app.get('/plans', declared, async (request, reply) => {
    const { query } = request;
    const list = { path: '/plans', query, tenantId: null, keyOf: (row: PlanRow) => [row.planId] };
    const page = await readPage(list, viewPlan, (place) => parts.store.plans.list(byText(place)));
    return isProblem(page) ? sendProblem(reply, page) : reply.send(page);
  });
}

function getPlan(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'getPlan',
    tag: 'Quotas',
    summary: 'Get a plan',
    description: 'What its tenants may do, and how long their events are kept.',
    access: { scope: 'read', callers: OPERATORS },
    params: PlanParams,
    answers: { 200: Plan },
    problems: ['plan_not_found'],
  });
  app.get('/plans/:plan_id', declared, async (request, reply) => {
    const { plan_id: planId } = request.params;
    const row = isPlanId(planId) ? await parts.store.plans.find(planId) : null;
    return row ? reply.send(viewPlan(row)) : sendProblem(reply, unknownPlan(planId));
  });
}

function deletePlan(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'deletePlan',
    tag: 'Quotas',
    summary: 'Delete a plan that no tenant has',
    description: '`default` cannot be deleted, nor can a plan that tenants have.',
    access: { scope: 'manage', callers: OPERATORS },
    params: PlanParams,
    body: NoBody,
    answers: { 204: Type.Null({ description: 'It is gone.' }) },
    problems: ['plan_not_found', 'plan_in_use'],
  });
  app.delete('/plans/:plan_id', declared, async (request, reply) => {
    const { plan_id: planId } = request.params;
    const removed = isPlanId(planId) ? await parts.store.plans.remove(planId, actorOf(request)) : null;
    if (removed === null) return sendProblem(reply, unknownPlan(planId));
    if (removed.kind === 'in_use') return sendProblem(reply, planInUse(planId, removed.tenants));
    parts.log.info({ plan_id: planId, key_id: request.caller.keyId }, 'plan deleted');
    return reply.code(204).send(null);
  });
}

const planInUse = (planId: string, tenants: number): Problem =>
  problem(
    'plan_in_use',
    tenants === 0
      ? `${planId} is the plan of tenants that are given none`
      : `${tenants} tenants have the plan: give them another first`,
    { members: { tenants } },
  );
