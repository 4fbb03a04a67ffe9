import type { EndpointRow } from '@posthorn/db';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type, { type Static } from 'typebox';
import { type Actor, actorOf } from '../../access/actor.ts';
import { confirmChange } from '../../access/authorise.ts';
import type { EndpointChange } from '../../change-configuration.ts';
import type { App, AppParts } from '../../http/app.ts';
import { isProblem, type Problem, problem, sendProblem } from '../../http/problem.ts';
import { NoBody } from '../../http/validation.ts';
import { ChangeableFields, toChanges, urlField, viewWebhook, Webhook } from './fields.ts';
import { findWebhook, type OfWebhook, unknownWebhook } from './routes.ts';

const webhookChanges = (urlFault: AppParts['urlFault']) =>
  Type.Object(
    {
      url: Type.Optional(urlField(urlFault)),
      ...ChangeableFields,
      enabled: Type.Optional(Type.Boolean()),
    },
    { additionalProperties: false, minProperties: 1 },
  );
type WebhookChanges = Static<ReturnType<typeof webhookChanges>>;

const Pause = Type.Object({ mode: Type.Enum(['hold', 'drop']) }, { additionalProperties: false });

export function webhookChangeRoutes(app: App, parts: AppParts): void {
  changeWebhook(app, parts);
  deleteWebhook(app, parts);
  pauseWebhook(app, parts);
  resumeWebhook(app, parts);
}

function changeWebhook(app: App, parts: AppParts): void {
  const schema = { body: webhookChanges(parts.urlFault), response: { 200: Webhook } };
  app.patch<OfWebhook & { Body: WebhookChanges }>('/webhooks/:webhook_id', { schema }, (request, reply) =>
    change(parts, request, reply, 'webhook changed', (found, actor) => {
      const { enabled, ...fields } = request.body;
      return parts.store.changeEndpoint(found, { fields: toChanges(fields), enabled }, actor);
    }),
  );
}

function deleteWebhook(app: App, parts: AppParts): void {
  const schema = { body: NoBody, response: { 204: Type.Null() } };
  app.delete<OfWebhook>('/webhooks/:webhook_id', { schema }, (request, reply) =>
    change(parts, request, reply, 'webhook deleted', (found, actor) =>
      parts.store.deleteEndpoint(found, actor),
    ),
  );
}

function pauseWebhook(app: App, parts: AppParts): void {
  const schema = { body: Pause, response: { 200: Webhook } };
  app.post<OfWebhook & { Body: Static<typeof Pause> }>(
    '/webhooks/:webhook_id/pause',
    { schema },
    (request, reply) =>
      change(parts, request, reply, 'webhook paused', async (found, actor) =>
        found.state === 'disabled'
          ? disabledWebhook(found)
          : parts.store.pauseEndpoint(found, request.body.mode, actor),
      ),
  );
}

function resumeWebhook(app: App, parts: AppParts): void {
  const schema = { body: NoBody, response: { 200: Webhook } };
  app.post<OfWebhook>('/webhooks/:webhook_id/resume', { schema }, (request, reply) =>
    change(parts, request, reply, 'webhook resumed', async (found, actor) =>
      found.state === 'disabled' ? disabledWebhook(found) : parts.store.resumeEndpoint(found, actor),
    ),
  );
}

export const disabledWebhook = ({ stateReason }: EndpointRow): Problem =>
  problem('webhook_disabled', `it is disabled (${stateReason ?? 'person'}): enable it first`);

type Apply = (found: EndpointRow, actor: Actor) => Promise<EndpointChange | Problem | null>;

/** Finds the webhook, makes the change with its audit row, and answers when every replica works with it. */
async function change(
  parts: AppParts,
  request: FastifyRequest<OfWebhook>,
  reply: FastifyReply,
  done: string,
  apply: Apply,
): Promise<FastifyReply> {
  const { webhook_id: endpointId } = request.params;
  const actor = actorOf(request);
  const found = await findWebhook(parts, request.caller, endpointId);
  const changed = found && (await apply(found, actor));
  if (!found || !changed) return sendProblem(reply, unknownWebhook(endpointId));
  if (isProblem(changed)) return sendProblem(reply, changed);
  if (changed.change !== null) {
    const open = await confirmChange(parts.tenants, changed.change, { webhook_id: endpointId });
    if (open) return sendProblem(reply, open);
    parts.log.info({ tenant_id: found.tenantId, webhook_id: endpointId, key_id: actor.keyId }, done);
  }
  return changed.row ? reply.send(viewWebhook(changed.row)) : reply.code(204).send();
}
