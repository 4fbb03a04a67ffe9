import { unknownTenant } from '../../access/authorise.ts';
import { mayActFor } from '../../access/caller.ts';
import type { App, AppParts } from '../../http/app.ts';
import { cutPage, DEFAULT_PAGE, decodeCursor } from '../../http/cursor.ts';
import { operation } from '../../http/operation.ts';
import { isProblem, sendProblem } from '../../http/problem.ts';
import { readLabel } from '../../http/read-label.ts';
import { entityTag } from './entity-tag.ts';
import { findWebhook, unknownWebhook, WebhookParams } from './find-webhook.ts';
import { ListQuery, WebhookPage } from './schema.ts';
import { viewWebhook, Webhook } from './view-webhook.ts';

const EVERYBODY = ['operator', 'tenant', 'portal'] as const;

export function getWebhook(app: App, parts: AppParts): void {
  const options = operation({
    id: 'getWebhook',
    tag: 'Webhooks',
    summary: 'Get a webhook',
    description: 'Secrets are never shown, values of headers always as `***`.',
    access: { scope: 'read', callers: EVERYBODY },
    params: WebhookParams,
    answers: { 200: Webhook },
    problems: ['webhook_not_found'],
  });
  app.get('/webhooks/:webhook_id', options, async (request, reply) => {
    const { webhook_id: endpointId } = request.params;
    const row = await findWebhook(parts, request.caller, endpointId);
    if (row === null) return sendProblem(reply, unknownWebhook(endpointId));
    return reply.header('etag', entityTag(row)).send(viewWebhook(row));
  });
}

export function listWebhooks(app: App, parts: AppParts): void {
  const options = operation({
    id: 'listWebhooks',
    tag: 'Webhooks',
    summary: 'List webhooks',
    description: 'In the order of their creation, those that are deleted left out. Conditions add up.',
    access: { scope: 'read', callers: EVERYBODY },
    querystring: ListQuery,
    answers: { 200: WebhookPage },
    problems: ['tenant_not_found'],
  });
  app.get('/webhooks', options, async (request, reply) => {
    const { query, caller } = request;
    const tenantId = query.tenant_id ?? caller.tenantId;
    const mayAsk = tenantId === null || mayActFor(caller, tenantId);
    if (!mayAsk) return sendProblem(reply, unknownTenant(tenantId));
    const cursor = decodeCursor(query.cursor, { of: 'webhooks', tenantId });
    if (cursor && isProblem(cursor)) return sendProblem(reply, cursor);
    const limit = Number(query.limit ?? DEFAULT_PAGE);
    const found = await parts.store.listEndpoints({
      tenantId,
      state: query.state ?? null,
      eventType: query.event_type ?? null,
      // Each adds conditions: what a narrowed caller asks for beside his labels.
      labels: [caller.labels ?? {}, (query.label && readLabel(query.label)) || {}],
      urlText: query.url ?? null,
      from: cursor && { endpointId: cursor.at[0] ?? '', direction: cursor.direction },
      limit: limit + 1,
    });
    const keyOf = ({ endpointId }: { endpointId: string }) => [endpointId];
    const page = cutPage({ path: '/webhooks', query, of: 'webhooks', tenantId, cursor, limit, keyOf }, found);
    return reply.send({ data: page.rows.map(viewWebhook), next: page.next, prev: page.prev });
  });
}
