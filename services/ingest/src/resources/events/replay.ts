import Type from 'typebox';
import { actorOf } from '../../access/actor.ts';
import { findTenantOfEvent } from '../../access/find-tenant.ts';
import { visibleEndpoints } from '../../access/visible-endpoints.ts';
import type { App, AppParts } from '../../http/app.ts';
import { WEBHOOK } from '../../http/examples.ts';
import { EventParams } from '../../http/fields.ts';
import { EVERYBODY, operation } from '../../http/operation.ts';
import { invalidRequest, isProblem, type Problem, problem, sendProblem } from '../../http/problem.ts';
import { unknownEvent } from './read.ts';
import { ReplayStarted, requestReplay } from './request-replay.ts';

const MAX_REPLAYED_WEBHOOKS = 100;
const ReplayRequest = Type.Optional(
  Type.Object(
    {
      webhook_ids: Type.Optional(
        Type.Array(Type.String(), {
          minItems: 1,
          maxItems: MAX_REPLAYED_WEBHOOKS,
          description: 'All that have a delivery of it, when left out.',
        }),
      ),
    },
    { additionalProperties: false, examples: [{ webhook_ids: [WEBHOOK] }] },
  ),
);

export function replayEvent(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'replayEvent',
    tag: 'Events',
    summary: 'Send an event again',
    description:
      'To all webhooks that have a delivery of it, or to those that are named. A dead letter gets its next round; what had succeeded gets a new run, with a new delivery id; what is under way is left alone.',
    access: { scope: 'manage', callers: EVERYBODY },
    params: EventParams,
    body: ReplayRequest,
    answers: { 202: ReplayStarted },
    problems: ['event_not_found', 'payload_expired', 'tenant_unavailable', 'not_accepted', 'outcome_unknown'],
  });
  app.post('/events/:event_id/replay', declared, async (request, reply) => {
    const { caller, params, body } = request;
    const { event_id: eventId } = params;
    const tenantId = await findTenantOfEvent(parts, caller, eventId);
    const event = tenantId === null ? null : await parts.store.record.findEvent(tenantId, eventId);
    if (tenantId === null || event === null) return sendProblem(reply, unknownEvent(eventId));
    const visible = await visibleEndpoints(parts.tenants, caller, tenantId);
    if (visible !== null && isProblem(visible)) return sendProblem(reply, visible);
    const deliveries = await parts.store.listDeliveriesOfEvent(tenantId, eventId);
    const reached = new Set(
      deliveries.map((row) => row.endpointId).filter((id) => visible === null || visible.includes(id)),
    );
    // To a token that sees none of its webhooks the event is not there.
    if (visible !== null && reached.size === 0) return sendProblem(reply, unknownEvent(eventId));
    if (event.payloadExpungedAt !== null) return sendProblem(reply, PAYLOAD_EXPUNGED);
    const strangers = strangersAmong(body?.webhook_ids ?? [], reached);
    if (strangers) return sendProblem(reply, strangers);
    const started = await requestReplay(parts, {
      tenantId,
      event,
      endpointIds: [...new Set(body?.webhook_ids ?? reached)],
      caller,
      actor: actorOf(request),
      subject: eventId,
    });
    if (isProblem(started)) return sendProblem(reply, started);
    return reply.code(202).send(started);
  });
}

const PAYLOAD_EXPUNGED: Problem = problem('payload_expired', 'the payload was removed by request');

function strangersAmong(webhookIds: readonly string[], reached: ReadonlySet<string>): Problem | null {
  const faults = webhookIds.flatMap((id, i) =>
    reached.has(id) ? [] : [{ pointer: `/webhook_ids/${i}`, detail: 'has no delivery of this event' }],
  );
  return faults.length > 0 ? invalidRequest(faults) : null;
}
