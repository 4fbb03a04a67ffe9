import { type EndpointId, OPERATOR_TENANT_ID } from '@posthorn/contracts';
import type { EndpointRow } from '@posthorn/db';
import Type from 'typebox';
import type { Caller } from '../../access/caller.ts';
import type { App, AppParts } from '../../http/app.ts';
import { WebhookParams } from '../../http/fields.ts';
import { OPERATORS, operation } from '../../http/operation.ts';
import { isProblem, sendProblem } from '../../http/problem.ts';
import { byText, readPage } from '../../http/read-page.ts';
import { NoBody } from '../../http/validation.ts';
import { answerChange } from '../webhooks/answer-change.ts';
import { applyFields, CHANGE_PROBLEMS, IfMatch } from '../webhooks/change.ts';
import { makeWebhook } from '../webhooks/create.ts';
import { entityTag, readIfMatch } from '../webhooks/entity-tag.ts';
import { findWebhook, unknownWebhook } from '../webhooks/find-webhook.ts';
import { viewWebhook, Webhook, WebhookWithSecret } from '../webhooks/view-webhook.ts';
import { newSystemWebhook, SystemListQuery, SystemWebhookPage, systemWebhookChanges } from './schema.ts';

const ACCESS = { scope: 'admin', callers: OPERATORS } as const;
const PATH = '/system/webhooks';

/**
 * Webhooks of the operator's own tenant that get events of all tenants. All else that webhooks have (pause, rotation of
 * secrets, tests, figures) is under `/webhooks/:webhook_id`, where admins find them too.
 */
export function systemWebhookRoutes(app: App, parts: AppParts): void {
  createSystemWebhook(app, parts);
  listSystemWebhooks(app, parts);
  getSystemWebhook(app, parts);
  changeSystemWebhook(app, parts);
  deleteSystemWebhook(app, parts);
}

function createSystemWebhook(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'createSystemWebhook',
    tag: 'System webhooks',
    summary: 'Create a system webhook',
    description:
      'It gets the events of all tenants that its types, labels and filter ask for, from the moment of this answer on. Requests name the tenant in `x-webhook-tenant-id`. Its deliveries are those of the tenant `posthorn`, in lanes of their own; they are not among the `delivery_ids` of an event.',
    access: ACCESS,
    body: newSystemWebhook(parts.urlFault),
    answers: { 201: WebhookWithSecret },
    problems: ['webhook_quota_exceeded', 'change_unconfirmed', 'tenant_not_found'],
  });
  app.post(PATH, declared, async (request, reply) =>
    makeWebhook(parts, request, reply, { tenantId: OPERATOR_TENANT_ID, scope: 'all_tenants', path: PATH }),
  );
}

function listSystemWebhooks(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'listSystemWebhooks',
    tag: 'System webhooks',
    summary: 'List system webhooks',
    description: 'In the order of their creation, those that are deleted left out.',
    access: ACCESS,
    querystring: SystemListQuery,
    answers: { 200: SystemWebhookPage },
  });
  app.get(PATH, declared, async (request, reply) => {
    const { query } = request;
    const tenantId = OPERATOR_TENANT_ID;
    const list = { path: PATH, query, tenantId, keyOf: (row: EndpointRow) => [row.endpointId] };
    const page = await readPage(list, viewWebhook, (place) =>
      parts.store.listEndpoints({ ...ANY, tenantId, ...byText(place) }),
    );
    return isProblem(page) ? sendProblem(reply, page) : reply.send(page);
  });
}

const ANY = { scope: 'all_tenants', state: null, eventType: null, labels: [], urlText: null } as const;

function getSystemWebhook(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'getSystemWebhook',
    tag: 'System webhooks',
    summary: 'Get a system webhook',
    description: 'Secrets are never shown, values of headers always as `***`.',
    access: ACCESS,
    params: WebhookParams,
    answers: { 200: Webhook },
    problems: ['webhook_not_found'],
  });
  app.get(`${PATH}/:webhook_id`, declared, async (request, reply) => {
    const { webhook_id: endpointId } = request.params;
    const row = await findSystemWebhook(parts, request.caller, endpointId);
    if (row === null) return sendProblem(reply, unknownWebhook(endpointId));
    return reply.header('etag', entityTag(row)).send(viewWebhook(row));
  });
}

function changeSystemWebhook(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'changeSystemWebhook',
    tag: 'System webhooks',
    summary: 'Change a system webhook',
    description: 'Only what is named changes, as of a webhook.',
    access: ACCESS,
    params: WebhookParams,
    headers: IfMatch,
    body: systemWebhookChanges(parts.urlFault),
    answers: { 200: Webhook },
    problems: [...CHANGE_PROBLEMS, 'webhook_disabled'],
  });
  app.patch(`${PATH}/:webhook_id`, declared, async (request, reply) => {
    const { webhook_id: endpointId } = request.params;
    if ((await findSystemWebhook(parts, request.caller, endpointId)) === null)
      return sendProblem(reply, unknownWebhook(endpointId));
    return applyFields(parts, request, reply, request.body, {});
  });
}

function deleteSystemWebhook(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'deleteSystemWebhook',
    tag: 'System webhooks',
    summary: 'Delete a system webhook',
    description: 'What is queued for it is cancelled. It cannot be brought back.',
    access: ACCESS,
    params: WebhookParams,
    headers: IfMatch,
    body: NoBody,
    answers: { 204: Type.Null({ description: 'It is gone.' }) },
    problems: CHANGE_PROBLEMS,
  });
  app.delete(`${PATH}/:webhook_id`, declared, async (request, reply) => {
    const { webhook_id: endpointId } = request.params;
    const expected = readIfMatch(request.headers['if-match']);
    if (expected && isProblem(expected)) return sendProblem(reply, expected);
    if ((await findSystemWebhook(parts, request.caller, endpointId)) === null)
      return sendProblem(reply, unknownWebhook(endpointId));
    return answerChange(parts, request, reply, 'system webhook deleted', (found, actor) =>
      parts.store.deleteEndpoint(found, expected, actor),
    );
  });
}

/** A webhook of a tenant is none. */
async function findSystemWebhook(
  parts: Pick<AppParts, 'store'>,
  caller: Caller,
  endpointId: EndpointId,
): Promise<EndpointRow | null> {
  const row = await findWebhook(parts, caller, endpointId);
  return row?.scope === 'all_tenants' ? row : null;
}
