import type { TenantConfig } from '@posthorn/tenant-config';
import type { Static } from 'typebox';
import { actorOf } from '../../access/actor.ts';
import { authoriseCustomer, confirmChange, unknownTenant } from '../../access/authorise.ts';
import type { App, AppParts } from '../../http/app.ts';
import { EVERYBODY, OPERATORS, operation } from '../../http/operation.ts';
import { isProblem, sendProblem } from '../../http/problem.ts';
import { isDatabaseAway } from '../../store.ts';
import { tooManyLanes } from '../lanes/routes.ts';
import { NewQuotas, QuotaParams, QuotaUse, toQuotaChanges, viewLimits } from './schema.ts';

export function quotaRoutes(app: App, parts: AppParts): void {
  getQuotas(app, parts);
  changeQuotas(app, parts);
}

function getQuotas(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'getQuotas',
    tag: 'Quotas',
    summary: 'Get the limits of a tenant and what is used of them',
    description:
      'Of other replicas of the API it is what they have last said: 100 ms ago, or up to a second ago of a tenant far from its limit while many send.',
    access: { scope: 'read', callers: EVERYBODY },
    params: QuotaParams,
    answers: { 200: QuotaUse },
    problems: ['tenant_not_found', 'tenant_reserved', 'tenant_unavailable'],
  });
  app.get('/quotas/:tenant', declared, async (request, reply) => {
    const tenant = await authoriseCustomer(parts.tenants, request.caller, request.params.tenant);
    return isProblem(tenant) ? sendProblem(reply, tenant) : reply.send(await viewUse(parts, tenant));
  });
}

function changeQuotas(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'changeQuotas',
    tag: 'Quotas',
    summary: 'Give a tenant limits of its own',
    description:
      'What is given is the tenant’s own from now on, whatever its plan says; `null` takes it away, and the plan’s is in force again. What is left out stays.',
    access: { scope: 'manage', callers: OPERATORS },
    params: QuotaParams,
    body: NewQuotas,
    answers: { 200: QuotaUse },
    problems: [
      'tenant_not_found',
      'tenant_reserved',
      'tenant_unavailable',
      'too_many_lanes',
      'change_unconfirmed',
    ],
  });
  app.patch('/quotas/:tenant', declared, async (request, reply) => {
    const { tenant: tenantId } = request.params;
    const known = await authoriseCustomer(parts.tenants, request.caller, tenantId);
    if (isProblem(known)) return sendProblem(reply, known);
    const changes = toQuotaChanges(request.body);
    const updated = await parts.store.quotas.update(tenantId, changes, actorOf(request));
    if (updated === null) return sendProblem(reply, unknownTenant(tenantId));
    if (updated.kind === 'over_cap') return sendProblem(reply, tooManyLanes(updated.lanes, updated.cap));
    const open = await confirmChange(parts.tenants, updated.change, { tenant_id: tenantId });
    if (open) return sendProblem(reply, open);
    parts.log.info({ tenant_id: tenantId, key_id: request.caller.keyId }, 'quotas changed');
    return reply.send(await viewUse(parts, { ...known, quotas: updated.quotas }));
  });
}

/** With Postgres away: the events of this process, the last known dead letters, and no load. */
async function viewUse(parts: AppParts, tenant: TenantConfig): Promise<Static<typeof QuotaUse>> {
  const { tenantId, quotas, endpoints } = tenant;
  const stored = await storedUse(parts, tenantId);
  const here = parts.rate.used(tenantId, parts.clock.monotonicMs());
  const sent = here.lastSecond + (stored?.events.lastSecond ?? 0);
  const dlqCount = stored?.deadLetters ?? parts.countDeadLetters(tenantId);
  const inFlight = stored?.inFlight ?? null;
  let webhooks = 0;
  for (const endpoint of endpoints.values()) if (endpoint.state !== 'deleted') webhooks += 1;
  return {
    tenant_id: tenantId,
    plan: stored?.plan ?? null,
    limits: viewLimits(quotas),
    dlq_policy: quotas.dlqPolicy,
    overrides: stored ? [...stored.overrides] : null,
    current_usage: {
      events_sent: sent,
      events_last_minute: here.lastMinute + (stored?.events.lastMinute ?? 0),
      concurrent_deliveries: inFlight,
      dlq_count: dlqCount,
      webhooks,
    },
    remaining: {
      events: left(quotas.maxEventsPerSec, sent),
      deliveries: inFlight === null ? null : left(quotas.maxConcurrentDeliveries, inFlight),
      dlq: left(quotas.maxDlqSize, dlqCount),
    },
    utilisation: {
      events: share(sent, quotas.maxEventsPerSec),
      deliveries: inFlight === null ? null : share(inFlight, quotas.maxConcurrentDeliveries),
      dlq: share(dlqCount, quotas.maxDlqSize),
      webhooks: share(webhooks, quotas.maxWebhooks),
    },
    queued_deliveries: stored?.queued ?? null,
  };
}

const left = (limit: number, used: number): number => Math.max(0, limit - used);

/** To four digits. Of a limit of nothing, any use is all of it. */
const share = (used: number, limit: number): number =>
  limit === 0 ? Math.min(used, 1) : Math.round((used / limit) * 10_000) / 10_000;

async function storedUse({ store, rate, reportDatabaseDown }: AppParts, tenantId: string) {
  try {
    return await store.quotas.findUse(tenantId, rate.replicaId);
  } catch (error) {
    if (!isDatabaseAway(error)) throw error;
    reportDatabaseDown();
    return null;
  }
}
