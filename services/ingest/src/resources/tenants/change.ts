import { isTenantId } from '@posthorn/contracts';
import Type from 'typebox';
import { actorOf } from '../../access/actor.ts';
import { confirmChange, refuseReserved, unknownTenant } from '../../access/authorise.ts';
import type { App, AppParts } from '../../http/app.ts';
import { TenantParams } from '../../http/fields.ts';
import { journalProblem } from '../../http/journal-problem.ts';
import { OPERATORS, operation } from '../../http/operation.ts';
import { type Problem, sendProblem } from '../../http/problem.ts';
import { NoBody } from '../../http/validation.ts';
import { tooManyLanes } from '../lanes/routes.ts';
import { unknownPlan } from './problems.ts';
import { Tenant, TenantChanges, viewTenant } from './schema.ts';

export function tenantChangeRoutes(app: App, parts: AppParts): void {
  changeTenant(app, parts);
  deleteTenant(app, parts);
}

function changeTenant(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'changeTenant',
    tag: 'Tenants',
    summary: 'Change a tenant',
    description:
      'What is left out stays. `metadata` is replaced as a whole; `null` for `retention_days` puts the plan’s in force again. Another plan changes all quotas that are not the tenant’s own.',
    access: { scope: 'manage', callers: OPERATORS },
    params: TenantParams,
    body: TenantChanges,
    answers: { 200: Tenant },
    problems: ['tenant_not_found', 'tenant_reserved', 'too_many_lanes', 'change_unconfirmed'],
  });
  app.patch('/tenants/:tenant_id', declared, async (request, reply) => {
    const { tenant_id: tenantId } = request.params;
    const refused = refuseId(tenantId);
    if (refused) return sendProblem(reply, refused);
    const updated = await parts.store.tenants.update(tenantId, toChanges(request.body), actorOf(request));
    if (updated === null) return sendProblem(reply, unknownTenant(tenantId));
    if (updated.kind === 'unknown_plan') return sendProblem(reply, unknownPlan(request.body.plan));
    if (updated.kind === 'over_cap') return sendProblem(reply, tooManyLanes(updated.lanes, updated.cap));
    const open = await confirmChange(parts.tenants, updated.change, { tenant_id: tenantId });
    if (open) return sendProblem(reply, open);
    parts.log.info({ tenant_id: tenantId, key_id: request.caller.keyId }, 'tenant changed');
    return reply.send(viewTenant(updated.tenant));
  });
}

/** Postgres is not asked about what could be no tenant's id. */
const refuseId = (tenantId: string): Problem | null =>
  isTenantId(tenantId) ? refuseReserved(tenantId) : unknownTenant(tenantId);

function toChanges({ enabled, metadata, retention_days, unknown_event_types, ...same }: TenantChanges) {
  return {
    ...same,
    ...(metadata === undefined ? {} : { metadata: metadata as Record<string, string> }),
    ...(retention_days === undefined ? {} : { retentionDays: retention_days }),
    ...(unknown_event_types === undefined ? {} : { unknownEventTypes: unknown_event_types }),
    ...(enabled === undefined ? {} : { state: enabled ? ('active' as const) : ('disabled' as const) }),
  };
}

function deleteTenant(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'deleteTenant',
    tag: 'Tenants',
    summary: 'Delete a tenant',
    description:
      'For good: its events are refused, what is queued is cancelled, its webhooks and keys are gone, and its id is never given again. What is on record stays for operators until its retention ends. To stop a tenant for a while, change `enabled`.',
    access: { scope: 'manage', callers: OPERATORS },
    params: TenantParams,
    body: NoBody,
    answers: { 204: Type.Null({ description: 'It is gone.' }) },
    problems: [
      'tenant_not_found',
      'tenant_reserved',
      'change_unconfirmed',
      'not_accepted',
      'outcome_unknown',
    ],
  });
  app.delete('/tenants/:tenant_id', declared, async (request, reply) => {
    const { tenant_id: tenantId } = request.params;
    const refused = refuseId(tenantId);
    if (refused) return sendProblem(reply, refused);
    const revision = await parts.store.tenants.remove(tenantId, actorOf(request));
    if (revision === null) return sendProblem(reply, unknownTenant(tenantId));
    // Workers cancel by the configuration; what is on record of queued deliveries is marked by the recorder.
    const cancelled = { kind: 'purged', tenantId, endpointId: null, eventId: null, revision } as const;
    const unwritten = await journalProblem(parts.journal({ ...cancelled, atMs: parts.clock.nowMs() }));
    if (unwritten) return sendProblem(reply, unwritten);
    const open = await confirmChange(parts.tenants, revision, { tenant_id: tenantId });
    if (open) return sendProblem(reply, open);
    parts.log.info({ tenant_id: tenantId, key_id: request.caller.keyId }, 'tenant deleted');
    return reply.code(204).send(null);
  });
}
