import { isDeliveryId, isEventId } from '@posthorn/contracts';
import type { DeliveryRow, FoundEvent } from '@posthorn/db';
import type { Caller } from '../../access/caller.ts';
import { findTenantOfEvent } from '../../access/find-tenant.ts';
import { scopeOfList } from '../../access/tenant-of.ts';
import { visibleEndpoints } from '../../access/visible-endpoints.ts';
import type { App, AppParts } from '../../http/app.ts';
import { EventParams, timeRange } from '../../http/fields.ts';
import { EVERYBODY, operation } from '../../http/operation.ts';
import { isProblem, notFound, type Problem, sendProblem } from '../../http/problem.ts';
import { readLabel } from '../../http/read-label.ts';
import { viewDelivery } from '../deliveries/schema.ts';
import { WALK, walkPage } from '../record/read-page.ts';
import { EventPage, EventQuery, EventWithDeliveries, renderEvent, viewEvent } from './view-event.ts';

export function listEvents(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'listEvents',
    tag: 'Events',
    summary: 'List events',
    description: `${WALK} Payloads are left out. A narrowed token sees events that were sent to its webhooks.`,
    access: { scope: 'read', callers: EVERYBODY },
    querystring: EventQuery,
    answers: { 200: EventPage },
    problems: ['tenant_not_found'],
  });
  app.get('/events', declared, async (request, reply) => {
    const { query, caller } = request;
    const scope = await scopeOfList(parts.tenants, caller, query);
    if (isProblem(scope)) return sendProblem(reply, scope);
    const filter = {
      ...timeRange(query),
      eventType: query.event_type,
      labels: query.label === undefined ? undefined : readLabel(query.label)!,
      clientEventId: query.client_event_id,
      state: query.state,
      endpointIds: scope.endpointIds ?? undefined,
    };
    const page = await walkPage(
      {
        path: '/events',
        query,
        tenantId: scope.tenantId,
        nowMs: parts.clock.nowMs(),
        isKey: (key) => isEventId(key) || isDeliveryId(key),
        keyOf: (row: FoundEvent) => row.eventId,
      },
      viewEvent,
      (walk) => parts.store.record.searchEvents(scope.tenantId, filter, walk),
    );
    return isProblem(page) ? sendProblem(reply, page) : reply.send(page);
  });
}

export function getEvent(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'getEvent',
    tag: 'Events',
    summary: 'Get an event with its payload and deliveries',
    description:
      'The payload is `payload` where it is JSON, else `payload_text` or `payload_base64`, and left out once it was expunged. Shown are the first 1,000 deliveries.',
    access: { scope: 'read', callers: EVERYBODY },
    params: EventParams,
    answers: { 200: EventWithDeliveries },
    problems: ['event_not_found'],
  });
  app.get('/events/:event_id', declared, async (request, reply) => {
    const { event_id: eventId } = request.params;
    const tenantId = await findTenantOfEvent(parts, request.caller, eventId);
    if (tenantId === null) return sendProblem(reply, unknownEvent(eventId));
    const [event, deliveries] = await Promise.all([
      parts.store.record.findEvent(tenantId, eventId),
      listSeenDeliveries(parts, request.caller, tenantId, eventId),
    ]);
    if (event === null || deliveries === null) return sendProblem(reply, unknownEvent(eventId));
    reply.type('application/json; charset=utf-8').serializer((text: unknown) => text as string);
    return reply.send(renderEvent(tenantId, event, deliveries.map(viewDelivery)) as never);
  });
}

/** Null: the caller sees no webhook that it was sent to, so that the event is not there. */
async function listSeenDeliveries(
  parts: AppParts,
  caller: Caller,
  tenantId: string,
  eventId: string,
): Promise<DeliveryRow[] | null> {
  const [deliveries, seen] = await Promise.all([
    parts.store.listDeliveriesOfEvent(tenantId, eventId),
    visibleEndpoints(parts.tenants, caller, tenantId),
  ]);
  if (seen === null) return deliveries;
  if (isProblem(seen)) return null;
  const shown = deliveries.filter((row) => seen.includes(row.endpointId));
  return shown.length > 0 ? shown : null;
}

export const unknownEvent = (eventId: string): Problem =>
  notFound('event_not_found', 'event', eventId, ', or it is not recorded yet');
