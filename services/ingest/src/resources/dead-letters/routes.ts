import type { DeadLetterFilter, DeliveryRow } from '@posthorn/db';
import type { Static } from 'typebox';
import { actorOf } from '../../access/actor.ts';
import type { Caller } from '../../access/caller.ts';
import { tellIntent } from '../../access/tell-intent.ts';
import { type ListScope, scopeOfList } from '../../access/tenant-of.ts';
import type { App, AppParts } from '../../http/app.ts';
import { DeliveryParams } from '../../http/fields.ts';
import { journalProblem } from '../../http/journal-problem.ts';
import { EVERYBODY, operation } from '../../http/operation.ts';
import { isProblem, type Problem, problem, sendProblem } from '../../http/problem.ts';
import { NoBody } from '../../http/validation.ts';
import { findSeenDelivery, unknownDelivery } from '../deliveries/routes.ts';
import { requestReplay } from '../events/request-replay.ts';
import {
  DEFAULT_LIMIT,
  DeadLetter,
  DeadLetterCounts,
  DeadLetterPage,
  DeadLetterQuery,
  DeadLetterRemoved,
  DeadLetterRetried,
  spanOf,
  viewDeadLetter,
} from './schema.ts';

const MAX_COUNTED_TENANTS = 1_000;

export function deadLetterRoutes(app: App, parts: AppParts): void {
  listDeadLetters(app, parts);
  countDeadLetters(app, parts);
  getDeadLetter(app, parts);
  retryDeadLetter(app, parts);
  removeDeadLetter(app, parts);
}

function listDeadLetters(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'listDeadLetters',
    tag: 'Dead letters',
    summary: 'List dead letters',
    description: 'All filters that are given hold. An operator who names no tenant sees those of all.',
    access: { scope: 'read', callers: EVERYBODY },
    querystring: DeadLetterQuery,
    answers: { 200: DeadLetterPage },
    problems: ['tenant_not_found'],
  });
  app.get('/dlq', declared, async (request, reply) => {
    const { query, caller } = request;
    const scope = await scopeOfList(parts.tenants, caller, query);
    if (isProblem(scope)) return sendProblem(reply, scope);
    const limit = Number(query.limit ?? DEFAULT_LIMIT);
    const offset = Number(query.offset ?? 0);
    const page = { ...toFilter(query, scope), limit, offset };
    const { rows, total } = await parts.store.listDeadLetters(scope.tenantId, page);
    const next = offset + rows.length < total && rows.length > 0 ? nextPage(query, limit, offset) : null;
    return reply.send({ entries: rows.map(viewDeadLetter), total, limit, offset, next });
  });
}

const toFilter = (query: Static<typeof DeadLetterQuery>, { endpointIds }: ListScope): DeadLetterFilter => ({
  ...spanOf(query),
  endpointId: query.webhook_id,
  eventType: query.event_type,
  reason: query.reason,
  failure: query.failure,
  endpointIds: endpointIds ?? undefined,
});

function nextPage(query: Static<typeof DeadLetterQuery>, limit: number, offset: number): string {
  const page = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) page.set(name, value);
  page.set('limit', String(limit));
  page.set('offset', String(offset + limit));
  return `/v1/dlq?${page}`;
}

function countDeadLetters(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'countDeadLetters',
    tag: 'Dead letters',
    summary: 'Count dead letters by tenant',
    description: `The ${MAX_COUNTED_TENANTS} tenants that have most; a tenant's key sees its own count.`,
    access: { scope: 'read' },
    answers: { 200: DeadLetterCounts },
  });
  app.get('/dlq/counts', declared, async (request) => {
    const { tenantId } = request.caller;
    const { rows, total } = await parts.store.countDeadLettersByTenant(tenantId, MAX_COUNTED_TENANTS);
    return { data: rows.map((row) => ({ tenant_id: row.tenantId, count: row.count })), total };
  });
}

function getDeadLetter(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'getDeadLetter',
    tag: 'Dead letters',
    summary: 'Get a dead letter',
    description: 'As it stands in the list. Its attempts are at `/deliveries/:id`.',
    access: { scope: 'read', callers: EVERYBODY },
    params: DeliveryParams,
    answers: { 200: DeadLetter },
    problems: ['delivery_not_found', 'not_a_dead_letter'],
  });
  app.get('/dlq/:delivery_id', declared, async (request, reply) => {
    const { delivery_id: deliveryId } = request.params;
    const found = await findFailed(parts, request.caller, deliveryId);
    if (isProblem(found)) return sendProblem(reply, found);
    const row = await parts.store.findDeadLetter(found.tenantId, deliveryId);
    return row === null ? sendProblem(reply, unknownDelivery(deliveryId)) : reply.send(viewDeadLetter(row));
  });
}

function retryDeadLetter(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'retryDeadLetter',
    tag: 'Dead letters',
    summary: 'Retry a dead letter',
    description:
      'The delivery keeps its id and gets a fresh budget of attempts. Asked for twice, it is sent once.',
    access: { scope: 'manage', callers: EVERYBODY },
    params: DeliveryParams,
    body: NoBody,
    answers: { 202: DeadLetterRetried },
    problems: [
      'delivery_not_found',
      'not_a_dead_letter',
      'payload_expired',
      'tenant_unavailable',
      'not_accepted',
      'outcome_unknown',
    ],
  });
  app.post('/dlq/:delivery_id/retry', declared, async (request, reply) => {
    const { delivery_id: deliveryId } = request.params;
    const delivery = await findFailed(parts, request.caller, deliveryId);
    if (isProblem(delivery)) return sendProblem(reply, delivery);
    const { tenantId, endpointId } = delivery;
    const event = await parts.store.findEvent(tenantId, delivery.eventId);
    if (event === null) return sendProblem(reply, PAYLOAD_EXPIRED);
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
  });
}

/** It leaves the list and the count as soon as the recorder has read the journal; its delivery stays `failed`. */
function removeDeadLetter(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'removeDeadLetter',
    tag: 'Dead letters',
    summary: 'Remove a dead letter',
    description: 'It leaves the list and the count within a second; its delivery stays `failed`.',
    access: { scope: 'manage', callers: EVERYBODY },
    params: DeliveryParams,
    body: NoBody,
    answers: { 202: DeadLetterRemoved },
    problems: ['delivery_not_found', 'not_a_dead_letter', 'not_accepted', 'outcome_unknown'],
  });
  app.delete('/dlq/:delivery_id', declared, async (request, reply) => {
    const { delivery_id: deliveryId } = request.params;
    const { keyId } = request.caller;
    const delivery = await findFailed(parts, request.caller, deliveryId);
    if (isProblem(delivery)) return sendProblem(reply, delivery);
    const { tenantId } = delivery;
    const intent = {
      actor: actorOf(request),
      tenantId,
      subject: deliveryId,
      asked: 'dead_letter.removal_requested',
      failed: 'dead_letter.removal_failed',
    };
    const atMs = parts.clock.nowMs();
    const unwritten = await tellIntent(parts, intent, () =>
      journalProblem(
        parts.journal({ kind: 'dead_letter_removed', tenantId, deliveryId, reason: 'person', atMs }),
      ),
    );
    if (unwritten) return sendProblem(reply, unwritten);
    parts.log.info({ tenant_id: tenantId, delivery_id: deliveryId, key_id: keyId }, 'dead letter removed');
    return reply.code(202).send({ delivery_id: deliveryId });
  });
}

/** The delivery of a dead letter that the caller may see. */
async function findFailed(
  parts: AppParts,
  caller: Caller,
  deliveryId: string,
): Promise<DeliveryRow | Problem> {
  const delivery = await findSeenDelivery(parts, caller, deliveryId);
  if (delivery === null) return unknownDelivery(deliveryId);
  return delivery.state === 'failed' ? delivery : notDead(delivery.state);
}

const notDead = (state: string): Problem =>
  problem('not_a_dead_letter', `the delivery is ${state}; only a failed one is a dead letter`);

const PAYLOAD_EXPIRED: Problem = problem('payload_expired', 'the event is past its retention');
