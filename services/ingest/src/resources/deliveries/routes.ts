import type { AttemptRow, DeliveryRow } from '@posthorn/db';
import Type, { type Static } from 'typebox';
import { findTenantOfDelivery, findTenantOfEvent } from '../../access/find-tenant.ts';
import type { App, AppParts } from '../../http/app.ts';
import { type Problem, problem, sendProblem } from '../../http/problem.ts';

const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const NullableText = Nullable(Type.String());

export const Delivery = Type.Object({
  delivery_id: Type.String(),
  tenant_id: Type.String(),
  event_id: Type.String(),
  webhook_id: Type.String(),
  event_type: Type.String(),
  state: Type.String(),
  run: Type.Integer(),
  round: Type.Integer(),
  attempt: Type.Integer(),
  next_due_at: NullableText,
  last_status: Nullable(Type.Integer()),
  last_failure: NullableText,
  last_error: NullableText,
  created_at: Type.String(),
  updated_at: Type.String(),
});

const Attempt = Type.Object({
  attempt_id: Type.String(),
  run: Type.Integer(),
  round: Type.Integer(),
  attempt: Type.Integer(),
  state: Type.String(),
  status: Nullable(Type.Integer()),
  failure: NullableText,
  error: NullableText,
  started_at: Type.String(),
  duration_ms: Type.Integer(),
  response_body: NullableText,
  trace_id: Type.String(),
});

const DeliveryWithAttempts = Type.Intersect([Delivery, Type.Object({ attempts: Type.Array(Attempt) })]);
const OfEvent = Type.Object({ event_id: Type.String() }, { additionalProperties: false });

export function deliveryRoutes(app: App, parts: AppParts): void {
  app.get<{ Params: { delivery_id: string } }>(
    '/deliveries/:delivery_id',
    { schema: { response: { 200: DeliveryWithAttempts } } },
    async (request, reply) => {
      const { delivery_id: deliveryId } = request.params;
      const tenantId = await findTenantOfDelivery(parts, request.caller, deliveryId);
      const delivery = tenantId === null ? null : await parts.store.findDelivery(tenantId, deliveryId);
      if (tenantId === null || delivery === null) return sendProblem(reply, unknownDelivery(deliveryId));
      const attempts = await parts.store.listAttempts(tenantId, deliveryId);
      return reply.send({ ...viewDelivery(delivery), attempts: attempts.map(viewAttempt) });
    },
  );
  app.get(
    '/deliveries',
    { schema: { querystring: OfEvent, response: { 200: Type.Object({ data: Type.Array(Delivery) }) } } },
    async (request) => {
      const { event_id: eventId } = request.query;
      const tenantId = await findTenantOfEvent(parts, request.caller, eventId);
      const rows = tenantId === null ? [] : await parts.store.listDeliveriesOfEvent(tenantId, eventId);
      return { data: rows.map(viewDelivery) };
    },
  );
}

export const unknownDelivery = (deliveryId: string): Problem =>
  problem(
    'delivery_not_found',
    `there is no delivery ${JSON.stringify(deliveryId.slice(0, 64))}, or it is not recorded yet`,
  );

export function viewDelivery(row: DeliveryRow): Static<typeof Delivery> {
  return {
    delivery_id: row.deliveryId,
    tenant_id: row.tenantId,
    event_id: row.eventId,
    webhook_id: row.endpointId,
    event_type: row.eventType,
    state: row.state,
    run: row.run,
    round: row.round,
    attempt: row.attempt,
    next_due_at: row.nextDueAt?.toISOString() ?? null,
    last_status: row.lastStatus,
    last_failure: row.lastFailure,
    last_error: row.lastError,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

/** A response body is shown as text: what is no UTF-8 in it as U+FFFD. */
function viewAttempt(row: AttemptRow): Static<typeof Attempt> {
  return {
    attempt_id: row.attemptId,
    run: row.run,
    round: row.round,
    attempt: row.attempt,
    state: row.state,
    status: row.status,
    failure: row.failure,
    error: row.error,
    started_at: row.startedAt.toISOString(),
    duration_ms: row.durationMs,
    response_body: row.responseBody?.toString('utf8') ?? null,
    trace_id: row.traceId,
  };
}
