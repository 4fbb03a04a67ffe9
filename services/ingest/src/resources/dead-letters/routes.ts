import type { DeadLetterRow } from '@posthorn/db';
import Type, { type Static } from 'typebox';
import { actorOf } from '../../access/actor.ts';
import { mayActFor } from '../../access/auth.ts';
import { unknownTenant } from '../../access/authorise.ts';
import { findTenantOfDelivery } from '../../access/find-tenant.ts';
import type { App, AppParts } from '../../http/app.ts';
import { isProblem, type Problem, problem, sendProblem } from '../../http/problem.ts';
import { integerText, NoBody } from '../../http/validation.ts';
import { journalProblem } from '../cancellations/journal-problem.ts';
import { unknownDelivery } from '../deliveries/routes.ts';
import { ReplayStarted, requestReplay } from '../events/request-replay.ts';
import { DeadLetterFilters } from './filters.ts';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1_000;
const MAX_OFFSET = 1_000_000;

const Query = Type.Object(
  {
    ...DeadLetterFilters,
    limit: Type.Optional(integerText(1, MAX_LIMIT)),
    offset: Type.Optional(integerText(0, MAX_OFFSET)),
  },
  { additionalProperties: false },
);

const Entry = Type.Object({
  delivery_id: Type.String(),
  tenant_id: Type.String(),
  webhook_id: Type.String(),
  event_id: Type.String(),
  event_type: Type.String(),
  reason: Type.String(),
  last_error: Type.String(),
  last_status: Type.Union([Type.Integer(), Type.Null()]),
  last_failure: Type.String(),
  attempts: Type.Integer(),
  created_at: Type.String(),
});

const Page = Type.Object({
  entries: Type.Array(Entry),
  total: Type.Integer(),
  limit: Type.Integer(),
  offset: Type.Integer(),
  next: Type.Union([Type.String(), Type.Null()]),
});

const Retried = Type.Intersect([
  Type.Object({ delivery_id: Type.String(), webhook_id: Type.String() }),
  ReplayStarted,
]);

export function deadLetterRoutes(app: App, parts: AppParts): void {
  listDeadLetters(app, parts);
  retryDeadLetter(app, parts);
  removeDeadLetter(app, parts);
}

function listDeadLetters(app: App, parts: AppParts): void {
  app.get('/dlq', { schema: { querystring: Query, response: { 200: Page } } }, async (request, reply) => {
    const { query, caller } = request;
    if (query.tenant_id !== undefined && !mayActFor(caller, query.tenant_id))
      return sendProblem(reply, unknownTenant(query.tenant_id));
    const limit = Number(query.limit ?? DEFAULT_LIMIT);
    const offset = Number(query.offset ?? 0);
    const { rows, total } = await parts.store.listDeadLetters(caller.tenantId ?? query.tenant_id ?? null, {
      limit,
      offset,
      endpointId: query.webhook_id,
      eventType: query.event_type,
    });
    const next = offset + rows.length < total && rows.length > 0 ? nextPage(query, limit, offset) : null;
    return reply.send({ entries: rows.map(viewDeadLetter), total, limit, offset, next });
  });
}

function nextPage(query: Static<typeof Query>, limit: number, offset: number): string {
  const page = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) page.set(name, value);
  page.set('limit', String(limit));
  page.set('offset', String(offset + limit));
  return `/v1/dlq?${page}`;
}

function viewDeadLetter(row: DeadLetterRow): Static<typeof Entry> {
  return {
    delivery_id: row.deliveryId,
    tenant_id: row.tenantId,
    webhook_id: row.endpointId,
    event_id: row.eventId,
    event_type: row.eventType,
    reason: row.reason,
    last_error: row.lastError,
    last_status: row.lastStatus,
    last_failure: row.lastFailure,
    attempts: row.attempts,
    created_at: row.failedAt.toISOString(),
  };
}

function retryDeadLetter(app: App, parts: AppParts): void {
  app.post<{ Params: { delivery_id: string } }>(
    '/dlq/:delivery_id/retry',
    { schema: { body: NoBody, response: { 202: Retried } } },
    async (request, reply) => {
      const { delivery_id: deliveryId } = request.params;
      const tenantId = await findTenantOfDelivery(parts, request.caller, deliveryId);
      const delivery = tenantId === null ? null : await parts.store.findDelivery(tenantId, deliveryId);
      if (tenantId === null || delivery === null) return sendProblem(reply, unknownDelivery(deliveryId));
      if (delivery.state !== 'failed') return sendProblem(reply, notDead(delivery.state));
      const event = await parts.store.findEvent(tenantId, delivery.eventId);
      if (event === null) return sendProblem(reply, PAYLOAD_EXPIRED);
      const { endpointId } = delivery;
      const started = await requestReplay(parts, {
        tenantId,
        event,
        endpointIds: [endpointId],
        caller: request.caller,
        actor: actorOf(request),
        subject: deliveryId,
        expect: { run: delivery.run, round: delivery.round },
      });
      if (isProblem(started)) return sendProblem(reply, started);
      return reply.code(202).send({ delivery_id: deliveryId, webhook_id: endpointId, ...started });
    },
  );
}

/** It leaves the list and the count as soon as the recorder has read the journal; its delivery stays `failed`. */
function removeDeadLetter(app: App, parts: AppParts): void {
  const schema = { body: NoBody, response: { 202: Removed } };
  app.delete<{ Params: { delivery_id: string } }>('/dlq/:delivery_id', { schema }, async (request, reply) => {
    const { delivery_id: deliveryId } = request.params;
    const { keyId } = request.caller;
    const tenantId = await findTenantOfDelivery(parts, request.caller, deliveryId);
    const delivery = tenantId === null ? null : await parts.store.findDelivery(tenantId, deliveryId);
    if (tenantId === null || delivery === null) return sendProblem(reply, unknownDelivery(deliveryId));
    if (delivery.state !== 'failed') return sendProblem(reply, notDead(delivery.state));
    await parts.store.audit(tenantId, 'dead_letter.removed', deliveryId, actorOf(request));
    const atMs = parts.clock.nowMs();
    const unwritten = await journalProblem(
      parts.journal({ kind: 'dead_letter_removed', tenantId, deliveryId, reason: 'person', atMs }),
    );
    if (unwritten) return sendProblem(reply, unwritten);
    parts.log.info({ tenant_id: tenantId, delivery_id: deliveryId, key_id: keyId }, 'dead letter removed');
    return reply.code(202).send({ delivery_id: deliveryId });
  });
}

const Removed = Type.Object({ delivery_id: Type.String() });

const notDead = (state: string): Problem =>
  problem('not_a_dead_letter', `the delivery is ${state}; only a failed one is a dead letter`);

const PAYLOAD_EXPIRED: Problem = problem('payload_expired', 'the event is past its retention');
