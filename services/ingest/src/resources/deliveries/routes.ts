import { isDeliveryId } from '@posthorn/contracts';
import type { DeliveryRow } from '@posthorn/db';
import type { Caller } from '../../access/caller.ts';
import { findTenantOfDelivery } from '../../access/find-tenant.ts';
import { scopeOfList } from '../../access/tenant-of.ts';
import { seesEndpoint } from '../../access/visible-endpoints.ts';
import type { App, AppParts } from '../../http/app.ts';
import { DeliveryParams } from '../../http/fields.ts';
import { EVERYBODY, operation } from '../../http/operation.ts';
import { isProblem, notFound, type Problem, sendProblem } from '../../http/problem.ts';
import { outcomeFilter, WALK, walkPage } from '../record/read-page.ts';
import { describeWaiting, isWaiting } from './describe-waiting.ts';
import { DeliveryPage, DeliveryQuery, DeliveryWithAttempts, viewAttempt, viewDelivery } from './schema.ts';

export function deliveryRoutes(app: App, parts: AppParts): void {
  listDeliveries(app, parts);
  getDelivery(app, parts);
}

function listDeliveries(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'listDeliveries',
    tag: 'Deliveries',
    summary: 'List deliveries',
    description: `${WALK} Times are those at which the events were accepted.`,
    access: { scope: 'read', callers: EVERYBODY },
    querystring: DeliveryQuery,
    answers: { 200: DeliveryPage },
    problems: ['tenant_not_found'],
  });
  app.get('/deliveries', declared, async (request, reply) => {
    const { query, caller } = request;
    const scope = await scopeOfList(parts.tenants, caller, query);
    if (isProblem(scope)) return sendProblem(reply, scope);
    const filter = {
      ...outcomeFilter(query, scope),
      state: query.state,
    };
    const page = await walkPage(
      {
        path: '/deliveries',
        query,
        tenantId: scope.tenantId,
        nowMs: parts.clock.nowMs(),
        isKey: isDeliveryId,
        keyOf: (row: DeliveryRow) => row.deliveryId,
      },
      viewDelivery,
      (walk) => parts.store.record.searchDeliveries(scope.tenantId, filter, walk),
    );
    return isProblem(page) ? sendProblem(reply, page) : reply.send(page);
  });
}

function getDelivery(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'getDelivery',
    tag: 'Deliveries',
    summary: 'Get a delivery with its attempts, and where it waits',
    description: 'The attempts are the oldest 1,000; `GET /attempts?delivery_id=…` has all of them.',
    access: { scope: 'read', callers: EVERYBODY },
    params: DeliveryParams,
    answers: { 200: DeliveryWithAttempts },
    problems: ['delivery_not_found'],
  });
  app.get('/deliveries/:delivery_id', declared, async (request, reply) => {
    const { delivery_id: deliveryId } = request.params;
    const delivery = await findSeenDelivery(parts, request.caller, deliveryId);
    if (delivery === null) return sendProblem(reply, unknownDelivery(deliveryId));
    const { tenantId } = delivery;
    const [attempts, waiting] = await Promise.all([
      parts.store.listAttempts(tenantId, deliveryId),
      isWaiting(delivery) ? findWaiting(parts, delivery) : null,
    ]);
    return reply.send({ ...viewDelivery(delivery), waiting, attempts: attempts.map(viewAttempt) });
  });
}

/** Null for one that the caller is not to know of. */
export async function findSeenDelivery(
  parts: AppParts,
  caller: Caller,
  deliveryId: string,
): Promise<DeliveryRow | null> {
  const tenantId = await findTenantOfDelivery(parts, caller, deliveryId);
  const delivery = tenantId === null ? null : await parts.store.findDelivery(tenantId, deliveryId);
  if (tenantId === null || delivery === null) return null;
  return (await seesEndpoint(parts.tenants, caller, tenantId, delivery.endpointId)) ? delivery : null;
}

async function findWaiting(parts: AppParts, delivery: DeliveryRow) {
  const { tenantId, endpointId } = delivery;
  const [obstacles, webhook] = await Promise.all([
    parts.store.record.findObstacles(tenantId, endpointId),
    parts.store.findEndpoint(tenantId, endpointId),
  ]);
  const found = { ...obstacles, webhookState: webhook?.state ?? null };
  return describeWaiting(delivery, found, { tiers: parts.tiers, nowMs: parts.clock.nowMs() });
}

export const unknownDelivery = (deliveryId: string): Problem =>
  notFound('delivery_not_found', 'delivery', deliveryId, ', or it is not recorded yet');
