import { isTenantId, mintKey, pinLanes } from '@posthorn/contracts';
import type { ListedTenant } from '@posthorn/db';
import type { Static } from 'typebox';
import { actorOf } from '../../access/actor.ts';
import { confirmChange, refuseReserved, unknownTenant } from '../../access/authorise.ts';
import { mayActFor } from '../../access/caller.ts';
import type { App, AppParts } from '../../http/app.ts';
import { TenantParams } from '../../http/fields.ts';
import { OPERATORS, operation } from '../../http/operation.ts';
import { isProblem, sendProblem } from '../../http/problem.ts';
import { byText, readPage } from '../../http/read-page.ts';
import { toQuotas } from '../quotas/schema.ts';
import { tenantChangeRoutes } from './change.ts';
import { takenId, unknownPlan } from './problems.ts';
import { CreatedTenant, NewTenant, Tenant, TenantPage, TenantQuery, viewTenant } from './schema.ts';

export function tenantRoutes(app: App, parts: AppParts): void {
  createTenant(app, parts);
  listTenants(app, parts);
  getTenant(app, parts);
  tenantChangeRoutes(app, parts);
}

function createTenant(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'createTenant',
    tag: 'Tenants',
    summary: 'Create a tenant',
    description:
      'A tenant has what its plan gives, but for the quotas, policy and retention that are given here: those are its own. The answer has a key of the tenant, for events and for its webhooks.',
    access: { scope: 'manage', callers: OPERATORS },
    body: NewTenant,
    answers: { 201: CreatedTenant },
    problems: ['tenant_exists', 'tenant_lookalike', 'tenant_reserved', 'change_unconfirmed'],
  });
  app.post('/tenants', declared, async (request, reply) => {
    const { tenant_id: tenantId } = request.body;
    const reserved = refuseReserved(tenantId);
    if (reserved) return sendProblem(reply, reserved);
    const key = mintKey('tenant');
    const created = await parts.store.tenants.create(
      toTenant(request.body, parts.lanes),
      key,
      actorOf(request),
    );
    switch (created.kind) {
      case 'exists':
        return sendProblem(reply, takenId(tenantId, created.by));
      case 'unknown_plan':
        return sendProblem(reply, unknownPlan(request.body.plan));
      case 'created':
        break;
      default:
        return created satisfies never;
    }
    const made = { tenant_id: tenantId, api_key: key.key };
    const open = await confirmChange(parts.tenants, created.change, made);
    if (open) return sendProblem(reply, open);
    parts.log.info({ tenant_id: tenantId, key_id: request.caller.keyId }, 'tenant created');
    const row = await parts.store.findTenant(tenantId);
    if (!row) return sendProblem(reply, unknownTenant(tenantId));
    return reply.code(201).send({ ...viewTenant(row), api_key: key.key });
  });
}

function toTenant(body: Static<typeof NewTenant>, lanes: number) {
  const { tenant_id: tenantId, name = '', plan, metadata, dlq_policy } = body;
  return {
    tenantId,
    name,
    lanes: pinLanes(tenantId, lanes),
    quotas: toQuotas({ ...body.quotas, ...(dlq_policy ? { dlq_policy } : {}) }),
    ...(plan === undefined ? {} : { plan }),
    ...(metadata === undefined ? {} : { metadata: metadata as Record<string, string> }),
    ...(body.retention_days === undefined ? {} : { retentionDays: body.retention_days }),
    ...(body.unknown_event_types === undefined ? {} : { unknownEventTypes: body.unknown_event_types }),
  };
}

function listTenants(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'listTenants',
    tag: 'Tenants',
    summary: 'List tenants',
    description: 'By id. All filters that are given hold.',
    access: { scope: 'read', callers: OPERATORS },
    querystring: TenantQuery,
    answers: { 200: TenantPage },
  });
  app.get('/tenants', declared, async (request, reply) => {
    const { query } = request;
    const { plan, state, prefix } = query;
    const list = { path: '/tenants', query, tenantId: null, keyOf: (row: ListedTenant) => [row.tenantId] };
    const view = (row: ListedTenant) => viewTenant({ ...row, quotas: row });
    const page = await readPage(list, view, (place) =>
      parts.store.tenants.list({ plan, state, prefix }, byText(place)),
    );
    return isProblem(page) ? sendProblem(reply, page) : reply.send(page);
  });
}

function getTenant(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'getTenant',
    tag: 'Tenants',
    summary: 'Get a tenant',
    description:
      'Its plan, its limits as they are in force, and which of them are its own. What it uses is at `/quotas/:tenant`.',
    access: { scope: 'read' },
    params: TenantParams,
    answers: { 200: Tenant },
    problems: ['tenant_not_found'],
  });
  app.get('/tenants/:tenant_id', declared, async (request, reply) => {
    const { tenant_id: tenantId } = request.params;
    const mayAsk = isTenantId(tenantId) && mayActFor(request.caller, tenantId);
    const row = mayAsk ? await parts.store.findTenant(tenantId) : null;
    return row ? reply.send(viewTenant(row)) : sendProblem(reply, unknownTenant(tenantId));
  });
}
