import type { EventPayload } from '@posthorn/db';
import { failpoint } from '@posthorn/runtime';
import Type from 'typebox';
import { acceptEvent } from '../../accept/accept-event.ts';
import { MAX_EVENT_REQUEST_BYTES, parseEvent } from '../../accept/parse-event.ts';
import { actorOf } from '../../access/actor.ts';
import { findTenantOfEvent } from '../../access/find-tenant.ts';
import type { App, AppParts } from '../../http/app.ts';
import { invalidRequest, isProblem, type Problem, problem, sendProblem } from '../../http/problem.ts';
import { viewDelivery } from '../deliveries/routes.ts';
import { ReplayStarted, requestReplay } from './request-replay.ts';

const Accepted = Type.Object({
  event_id: Type.String(),
  tenant_id: Type.String(),
  type: Type.String(),
  webhooks_queued: Type.Integer(),
  deliver_at: Type.Optional(Type.String()),
  delivery_ids: Type.Optional(Type.Array(Type.String())),
});

const MAX_REPLAYED_WEBHOOKS = 100;
const ReplayRequest = Type.Optional(
  Type.Object(
    {
      webhook_ids: Type.Optional(Type.Array(Type.String(), { minItems: 1, maxItems: MAX_REPLAYED_WEBHOOKS })),
    },
    { additionalProperties: false },
  ),
);

export function eventRoutes(app: App, parts: AppParts): void {
  void app.register(async (scope) => postEvent(scope as App, parts));
  getEvent(app, parts);
  replayEvent(app, parts);
}

function postEvent(app: App, parts: AppParts): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
  const options = { bodyLimit: MAX_EVENT_REQUEST_BYTES, schema: { response: { 202: Accepted } } };
  app.post('/events', options, async (request, reply) => {
    const { caller, headers } = request;
    const body = Buffer.isBuffer(request.body) ? request.body : NO_BODY;
    const traceparent = headers.traceparent as string | undefined;
    const event =
      headers['idempotency-key'] === undefined ? parseEvent(body, parts.clock.nowMs()) : NO_IDEMPOTENCY;
    const result = isProblem(event) ? event : await acceptEvent(parts, { caller, event, traceparent });
    if (isProblem(result)) {
      parts.ingestMetrics.countEvent(result.code);
      return sendProblem(reply, result);
    }
    parts.ingestMetrics.countEvent('accepted');
    parts.ingestMetrics.countPayloadBytes(body.length);
    failpoint('before-202');
    failpoint('after-202', ANSWERED_MS);
    return reply.code(202).send(result as never);
  });
}

/** An answer is with its sender by then. */
const ANSWERED_MS = 20;
const NO_BODY = Buffer.alloc(0);
/** A key that was ignored would promise what does not happen. */
const NO_IDEMPOTENCY: Problem = problem(
  'idempotency_key_unsupported',
  'send the event without the Idempotency-Key header; the same event sent twice is two events',
);

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

/** The payload's own bytes stand in the answer: a number that JavaScript cannot hold stays what it was. */
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
  const payload = event.payload.toString('utf8');
  return `${head.slice(0, -1)},"payload":${payload},"deliveries":${JSON.stringify(deliveries)}}`;
}

export const unknownEvent = (eventId: string): Problem =>
  problem(
    'event_not_found',
    `there is no event ${JSON.stringify(eventId.slice(0, 64))}, or it is not recorded yet`,
  );

function replayEvent(app: App, parts: AppParts): void {
  const options = { schema: { body: ReplayRequest, response: { 202: ReplayStarted } } };
  app.post<{ Params: { event_id: string }; Body: { webhook_ids?: string[] } | null }>(
    '/events/:event_id/replay',
    options,
    async (request, reply) => {
      const { event_id: eventId } = request.params;
      const tenantId = await findTenantOfEvent(parts, request.caller, eventId);
      const event = tenantId === null ? null : await parts.store.findEvent(tenantId, eventId);
      if (tenantId === null || event === null) return sendProblem(reply, unknownEvent(eventId));
      const reached = new Set(
        (await parts.store.listDeliveriesOfEvent(tenantId, eventId)).map((row) => row.endpointId),
      );
      const wanted = [...new Set(request.body?.webhook_ids ?? reached)];
      const strangers = strangersAmong(request.body?.webhook_ids ?? [], reached);
      if (strangers) return sendProblem(reply, strangers);
      const started = await requestReplay(parts, {
        tenantId,
        event,
        endpointIds: wanted,
        caller: request.caller,
        actor: actorOf(request),
        subject: eventId,
      });
      if (isProblem(started)) return sendProblem(reply, started);
      return reply.code(202).send(started);
    },
  );
}

function strangersAmong(webhookIds: readonly string[], reached: ReadonlySet<string>): Problem | null {
  const faults = webhookIds.flatMap((id, i) =>
    reached.has(id) ? [] : [{ pointer: `/webhook_ids/${i}`, detail: 'has no delivery of this event' }],
  );
  return faults.length > 0 ? invalidRequest(faults) : null;
}
