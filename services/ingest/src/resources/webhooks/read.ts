import type { EndpointRow } from '@posthorn/db';
import { tenantOfList } from '../../access/tenant-of.ts';
import type { App, AppParts } from '../../http/app.ts';
import { WebhookParams } from '../../http/fields.ts';
import { EVERYBODY, operation } from '../../http/operation.ts';
import { isProblem, sendProblem } from '../../http/problem.ts';
import { readLabel } from '../../http/read-label.ts';
import { byText, readPage } from '../../http/read-page.ts';
import { entityTag } from './entity-tag.ts';
import { findWebhook, unknownWebhook } from './find-webhook.ts';
import { ListQuery, WebhookPage } from './schema.ts';
import { viewWebhook, Webhook } from './view-webhook.ts';

export function getWebhook(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'getWebhook',
    tag: 'Webhooks',
    summary: 'Get a webhook',
    description: 'Secrets are never shown, values of headers always as `***`.',
    access: { scope: 'read', callers: EVERYBODY },
    params: WebhookParams,
    answers: { 200: Webhook },
    problems: ['webhook_not_found'],
  });
  app.get('/webhooks/:webhook_id', declared, async (request, reply) => {
    const { webhook_id: endpointId } = request.params;
    const row = await findWebhook(parts, request.caller, endpointId);
    if (row === null) return sendProblem(reply, unknownWebhook(endpointId));
    return reply.header('etag', entityTag(row)).send(viewWebhook(row));
  });
}

export function listWebhooks(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'listWebhooks',
    tag: 'Webhooks',
    summary: 'List webhooks',
    description: 'In the order of their creation, those that are deleted left out.',
    access: { scope: 'read', callers: EVERYBODY },
    querystring: ListQuery,
    answers: { 200: WebhookPage },
    problems: ['tenant_not_found'],
  });
  app.get('/webhooks', declared, async (request, reply) => {
    const { query, caller } = request;
    const owner = tenantOfList(caller, query.tenant_id);
    if (isProblem(owner)) return sendProblem(reply, owner);
    const filter = {
      ...owner,
      state: query.state ?? null,
      eventType: query.event_type ?? null,
      // Each adds conditions: what a narrowed caller asks for beside his labels.
      labels: [caller.labels ?? {}, (query.label && readLabel(query.label)) || {}],
      urlText: query.url ?? null,
    };
    const list = { path: '/webhooks', query, ...owner, keyOf: (row: EndpointRow) => [row.endpointId] };
    const page = await readPage(list, viewWebhook, (place) =>
      parts.store.listEndpoints({ ...filter, ...byText(place) }),
    );
    return isProblem(page) ? sendProblem(reply, page) : reply.send(page);
  });
}
