import type { Quotas } from '@posthorn/db';
import type { TenantConfig } from '@posthorn/tenant-config';
import Type, { type Static } from 'typebox';
import { actorOf } from '../../access/actor.ts';
import {
  authorise,
  confirmChange,
  operatorsOnly,
  refuseReserved,
  unknownTenant,
} from '../../access/authorise.ts';
import type { App, AppParts } from '../../http/app.ts';
import { isProblem, sendProblem } from '../../http/problem.ts';
import { Nullable } from '../../http/validation.ts';
import { isDatabaseAway } from '../../store.ts';
import { tooManyLanes } from '../lanes/routes.ts';

/** The bounds are those of the database, and of one tenant's rate window in memory. */
export const Limits = Type.Object({
  max_events_per_sec: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
  max_concurrent_deliveries: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
  max_dlq_size: Type.Integer({ minimum: 0, maximum: 1_000_000_000 }),
  max_webhooks: Type.Integer({ minimum: 0, maximum: 1_000_000 }),
});
export const DlqPolicy = Type.Union([
  Type.Literal('refuse'),
  Type.Literal('drop_oldest'),
  Type.Literal('warn'),
]);
/** What a request may set; a tenant's creation has the policy outside of its quotas. */
export const GivenLimits = Type.Object(Type.Partial(Limits).properties, { additionalProperties: false });
const QuotaChanges = Type.Object(
  { ...GivenLimits.properties, dlq_policy: Type.Optional(DlqPolicy) },
  { additionalProperties: false, minProperties: 1 },
);

const Usage = Type.Object({
  tenant_id: Type.String(),
  limits: Limits,
  dlq_policy: DlqPolicy,
  current_usage: Type.Object({
    events_sent: Type.Integer(),
    dlq_count: Type.Integer(),
    webhooks: Type.Integer(),
    concurrent_deliveries: Nullable(Type.Integer()),
    queued: Nullable(Type.Integer()),
  }),
  remaining: Type.Object({ events: Type.Integer(), dlq: Type.Integer(), webhooks: Type.Integer() }),
});

export function quotaRoutes(app: App, parts: AppParts): void {
  app.get<{ Params: { tenant: string } }>(
    '/quotas/:tenant',
    { schema: { response: { 200: Usage } } },
    async (request, reply) => {
      const tenant = await authorise(parts.tenants, request.caller, request.params.tenant);
      if (isProblem(tenant)) return sendProblem(reply, tenant);
      const refused = refuseReserved(tenant.tenantId);
      return refused ? sendProblem(reply, refused) : reply.send(await viewUsage(parts, tenant));
    },
  );
  app.patch<{ Params: { tenant: string }; Body: Static<typeof QuotaChanges> }>(
    '/quotas/:tenant',
    { schema: { body: QuotaChanges, response: { 200: Usage } } },
    async (request, reply) => {
      const { tenant: tenantId } = request.params;
      const refused = operatorsOnly(request.caller) ?? refuseReserved(tenantId);
      if (refused) return sendProblem(reply, refused);
      const known = await authorise(parts.tenants, request.caller, tenantId);
      if (isProblem(known)) return sendProblem(reply, known);
      const { keyId } = request.caller;
      const updated = await parts.store.updateQuotas(tenantId, toQuotas(request.body), actorOf(request));
      if (updated === null) return sendProblem(reply, unknownTenant(tenantId));
      if (updated.kind === 'over_cap') return sendProblem(reply, tooManyLanes(updated.lanes, updated.cap));
      const open = await confirmChange(parts.tenants, updated.change, { tenant_id: tenantId });
      if (open) return sendProblem(reply, open);
      parts.log.info({ tenant_id: tenantId, key_id: keyId }, 'quotas changed');
      return reply.send(await viewUsage(parts, { ...known, quotas: updated.quotas }));
    },
  );
}

/** The events of this process in the last second; with Postgres away the last known dead letters, and no load. */
async function viewUsage(parts: AppParts, tenant: TenantConfig): Promise<Static<typeof Usage>> {
  const { tenantId, quotas, endpoints } = tenant;
  const eventsSent = parts.rate.used(tenantId, parts.clock.monotonicMs());
  const stored = await storedUsage(parts, tenantId);
  const dlqCount = stored?.deadLetters ?? parts.countDeadLetters(tenantId);
  let webhooks = 0;
  for (const endpoint of endpoints.values()) if (endpoint.state !== 'deleted') webhooks += 1;
  const left = (limit: number, used: number): number => Math.max(0, limit - used);
  return {
    tenant_id: tenantId,
    limits: viewLimits(quotas),
    dlq_policy: quotas.dlqPolicy,
    current_usage: {
      events_sent: eventsSent,
      dlq_count: dlqCount,
      webhooks,
      concurrent_deliveries: stored?.inFlight ?? null,
      queued: stored?.queued ?? null,
    },
    remaining: {
      events: left(quotas.maxEventsPerSec, eventsSent),
      dlq: left(quotas.maxDlqSize, dlqCount),
      webhooks: left(quotas.maxWebhooks, webhooks),
    },
  };
}

async function storedUsage({ store, reportDatabaseDown }: AppParts, tenantId: string) {
  try {
    return await store.findUsage(tenantId);
  } catch (error) {
    if (!isDatabaseAway(error)) throw error;
    reportDatabaseDown();
    return null;
  }
}

export function viewLimits(quotas: Quotas): Static<typeof Limits> {
  return {
    max_events_per_sec: quotas.maxEventsPerSec,
    max_concurrent_deliveries: quotas.maxConcurrentDeliveries,
    max_dlq_size: quotas.maxDlqSize,
    max_webhooks: quotas.maxWebhooks,
  };
}

/** Only what was given: the rest keeps its value, or its default at creation. */
export function toQuotas(given: Static<typeof QuotaChanges>): Partial<Quotas> {
  const quotas = {
    maxEventsPerSec: given.max_events_per_sec,
    maxConcurrentDeliveries: given.max_concurrent_deliveries,
    maxDlqSize: given.max_dlq_size,
    maxWebhooks: given.max_webhooks,
    dlqPolicy: given.dlq_policy,
  };
  return Object.fromEntries(Object.entries(quotas).filter(([, value]) => value !== undefined));
}
