import { isEventId } from '@posthorn/contracts';
import type { AttemptRow, AttemptSummary } from '@posthorn/db';
import type { Static } from 'typebox';
import type { Caller } from '../../access/caller.ts';
import { couldBe } from '../../access/find-tenant.ts';
import { scopeOfList } from '../../access/tenant-of.ts';
import { seesEndpoint } from '../../access/visible-endpoints.ts';
import type { App, AppParts } from '../../http/app.ts';
import { EVERYBODY, operation } from '../../http/operation.ts';
import { isProblem, notFound, type Problem, sendProblem } from '../../http/problem.ts';
import { AttemptPage, viewAttempt } from '../deliveries/schema.ts';
import { outcomeFilter, WALK, walkPage } from '../record/read-page.ts';
import { decodeBody } from './decode-body.ts';
import { describeRequest, type SentRequest } from './describe-request.ts';
import { AttemptParams, AttemptQuery, FullAttempt } from './schema.ts';

export function attemptRoutes(app: App, parts: AppParts): void {
  listAttempts(app, parts);
  getAttempt(app, parts);
}

function listAttempts(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'listAttempts',
    tag: 'Deliveries',
    summary: 'List attempts',
    description: `${WALK} Times are those at which the requests began. \`GET /attempts/:id\` has request and response.`,
    access: { scope: 'read', callers: EVERYBODY },
    querystring: AttemptQuery,
    answers: { 200: AttemptPage },
    problems: ['tenant_not_found'],
  });
  app.get('/attempts', declared, async (request, reply) => {
    const { query, caller } = request;
    const scope = await scopeOfList(parts.tenants, caller, query);
    if (isProblem(scope)) return sendProblem(reply, scope);
    const filter = {
      ...outcomeFilter(query, scope),
      deliveryId: query.delivery_id,
      state: query.state,
    };
    const page = await walkPage(
      {
        path: '/attempts',
        query,
        tenantId: scope.tenantId,
        nowMs: parts.clock.nowMs(),
        isKey: isEventId,
        keyOf: (row: AttemptSummary) => row.attemptId,
      },
      viewAttempt,
      (walk) => parts.store.record.searchAttempts(scope.tenantId, filter, walk),
    );
    return isProblem(page) ? sendProblem(reply, page) : reply.send(page);
  });
}

function getAttempt(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'getAttempt',
    tag: 'Deliveries',
    summary: 'Get an attempt with its request and response',
    description:
      "The request is made again from the attempt, the event and the webhook as it was then; `request` is null once one of these is no longer kept. Signatures and the values of the webhook's own headers are redacted.",
    access: { scope: 'read', callers: EVERYBODY },
    params: AttemptParams,
    answers: { 200: FullAttempt },
    problems: ['attempt_not_found'],
  });
  app.get('/attempts/:attempt_id', declared, async (request, reply) => {
    const { attempt_id: attemptId } = request.params;
    const attempt = await findSeenAttempt(parts, request.caller, attemptId);
    if (attempt === null) return sendProblem(reply, unknownAttempt(attemptId));
    const view = viewAttempt(attempt);
    return reply.send({
      ...view,
      request: await findRequest(parts, attempt),
      response: viewResponse(attempt),
    });
  });
}

async function findSeenAttempt(
  parts: AppParts,
  caller: Caller,
  attemptId: string,
): Promise<AttemptRow | null> {
  if (!couldBe(attemptId, isEventId, parts)) return null;
  const attempt = await parts.store.record.findAttempt(caller.tenantId, attemptId);
  if (attempt === null) return null;
  return (await seesEndpoint(parts.tenants, caller, attempt.tenantId, attempt.endpointId)) ? attempt : null;
}

async function findRequest(parts: AppParts, attempt: AttemptRow): Promise<SentRequest | null> {
  const { tenantId, eventId } = attempt;
  const [event, made] = await Promise.all([
    parts.store.findEvent(tenantId, eventId),
    parts.store.record.findEndpointRequest(tenantId, attempt),
  ]);
  if (event === null || made === null) return null;
  const isOthers = event.tenantId !== tenantId;
  return describeRequest({
    ...attempt,
    event,
    made,
    headerPrefix: parts.signatureHeaderPrefix,
    ...(isOthers ? { sourceTenantId: event.tenantId } : {}),
  });
}

export function viewResponse(attempt: AttemptRow): Static<typeof FullAttempt>['response'] {
  const { status, responseHeaders: headers, responseBody } = attempt;
  if (status === null && headers === null && responseBody === null) return null;
  if (responseBody === null) return { status, headers, body: null, body_encoding: null };
  return { status, headers, ...decodeBody(responseBody, contentTypeOf(headers)) };
}

function contentTypeOf(headers: AttemptRow['responseHeaders']): string | null {
  const value = headers?.['content-type'];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

const unknownAttempt = (attemptId: string): Problem =>
  notFound('attempt_not_found', 'attempt', attemptId, ', or it is not recorded yet');
