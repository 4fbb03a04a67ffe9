import { isTenantId, pinLanes } from '@posthorn/contracts';
import type { Quotas, TenantSummary } from '@posthorn/db';
import Type, { type Static } from 'typebox';
import { isPlainText, TENANT_ID_RULE } from '../../accept/parse-event.ts';
import { actorOf } from '../../access/actor.ts';
import { mayActFor, mintKey } from '../../access/auth.ts';
import { confirmChange, operatorsOnly, refuseReserved, unknownTenant } from '../../access/authorise.ts';
import type { App, AppParts } from '../../http/app.ts';
import { problem, sendProblem } from '../../http/problem.ts';
import { DlqPolicy, GivenLimits, Limits, toQuotas, viewLimits } from '../quotas/routes.ts';

const MAX_NAME_CHARS = 200;
const RetentionDays = Type.Union([Type.Literal(7), Type.Literal(30), Type.Literal(90)]);

const NewTenant = Type.Object(
  {
    tenant_id: Type.Refine(Type.String(), isTenantId, () => TENANT_ID_RULE),
    name: Type.Optional(
      Type.Refine(Type.String({ maxLength: MAX_NAME_CHARS }), isPlainText, () => 'must be plain text'),
    ),
    quotas: Type.Optional(GivenLimits),
    dlq_policy: Type.Optional(DlqPolicy),
    retention_days: Type.Optional(RetentionDays),
  },
  { additionalProperties: false },
);

const Tenant = Type.Object({
  tenant_id: Type.String(),
  name: Type.String(),
  quotas: Limits,
  dlq_policy: DlqPolicy,
  retention_days: Type.Integer(),
  lanes: Type.Array(Type.Integer()),
  draining_lanes: Type.Array(Type.Integer()),
  created_at: Type.String(),
});
const CreatedTenant = Type.Intersect([Tenant, Type.Object({ api_key: Type.String() })]);

export function tenantRoutes(app: App, parts: AppParts): void {
  app.post(
    '/tenants',
    { schema: { body: NewTenant, response: { 201: CreatedTenant } } },
    async (request, reply) => {
      const refused = operatorsOnly(request.caller);
      if (refused) return sendProblem(reply, refused);
      const { tenant_id: tenantId, name = '', quotas, dlq_policy, retention_days } = request.body;
      const reserved = refuseReserved(tenantId);
      if (reserved) return sendProblem(reply, reserved);
      const key = mintKey('tenant');
      const tenant = {
        tenantId,
        name,
        lanes: pinLanes(tenantId, parts.lanes),
        quotas: toQuotas({ ...quotas, ...(dlq_policy ? { dlq_policy } : {}) }),
        ...(retention_days ? { retentionDays: retention_days } : {}),
      };
      const { keyId } = request.caller;
      const created = await parts.store.createTenant(tenant, key, actorOf(request));
      if (created.kind === 'exists')
        return sendProblem(
          reply,
          problem('tenant_exists', `there is a tenant ${JSON.stringify(tenantId)} already`),
        );
      const open = await confirmChange(parts.tenants, created.change, {
        tenant_id: tenantId,
        api_key: key.key,
      });
      if (open) return sendProblem(reply, open);
      parts.log.info({ tenant_id: tenantId, key_id: keyId }, 'tenant created');
      const row = await parts.store.findTenant(tenantId);
      if (!row) return sendProblem(reply, unknownTenant(tenantId));
      return reply.code(201).send({ ...viewTenant(row), api_key: key.key });
    },
  );
  app.get<{ Params: { tenant_id: string } }>(
    '/tenants/:tenant_id',
    { schema: { response: { 200: Tenant } } },
    async (request, reply) => {
      const { tenant_id: tenantId } = request.params;
      const mayAsk = isTenantId(tenantId) && mayActFor(request.caller, tenantId);
      const row = mayAsk ? await parts.store.findTenant(tenantId) : null;
      return row ? reply.send(viewTenant(row)) : sendProblem(reply, unknownTenant(tenantId));
    },
  );
}

function viewTenant(row: TenantSummary & { quotas: Quotas }): Static<typeof Tenant> {
  return {
    tenant_id: row.tenantId,
    name: row.name,
    quotas: viewLimits(row.quotas),
    dlq_policy: row.quotas.dlqPolicy,
    retention_days: row.retentionDays,
    lanes: row.lanes,
    draining_lanes: row.drainingLanes,
    created_at: row.createdAt.toISOString(),
  };
}
