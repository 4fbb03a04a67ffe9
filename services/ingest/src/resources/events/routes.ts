import type { EventPayload } from '@posthorn/db';
import { findTenantOfEvent } from '../../access/find-tenant.ts';
import type { App, AppParts } from '../../http/app.ts';
import { type Problem, problem, sendProblem } from '../../http/problem.ts';
import { viewDelivery } from '../deliveries/routes.ts';
import { postBatch } from './batch.ts';
import { postEvent } from './post.ts';
import { replayEvent } from './replay.ts';
import { payloadMember } from './view-payload.ts';

export function eventRoutes(app: App, parts: AppParts): void {
  void app.register(async (scope) => postEvent(scope as App, parts));
  void app.register(async (scope) => postBatch(scope as App, parts));
  getEvent(app, parts);
  replayEvent(app, parts);
}

function getEvent(app: App, parts: AppParts): void {
  app.get<{ Params: { event_id: string } }>('/events/:event_id', async (request, reply) => {
    const { event_id: eventId } = request.params;
    const tenantId = await findTenantOfEvent(parts, request.caller, eventId);
    const event = tenantId === null ? null : await parts.store.findEvent(tenantId, eventId);
    if (tenantId === null || event === null) return sendProblem(reply, unknownEvent(eventId));
    const deliveries = await parts.store.listDeliveriesOfEvent(tenantId, eventId);
    reply.type('application/json; charset=utf-8').serializer((text) => text as string);
    return reply.send(renderEvent(tenantId, event, deliveries.map(viewDelivery)));
  });
}

function renderEvent(tenantId: string, event: EventPayload, deliveries: readonly object[]): string {
  const head = JSON.stringify({
    event_id: event.eventId,
    tenant_id: tenantId,
    type: event.type,
    labels: event.labels,
    occurred_at: event.occurredAt,
    accepted_at: event.acceptedAt,
    content_type: event.contentType,
  });
  const payload = payloadMember(event.contentType, event.payload);
  return `${head.slice(0, -1)},${payload},"deliveries":${JSON.stringify(deliveries)}}`;
}

export const unknownEvent = (eventId: string): Problem =>
  problem(
    'event_not_found',
    `there is no event ${JSON.stringify(eventId.slice(0, 64))}, or it is not recorded yet`,
  );
