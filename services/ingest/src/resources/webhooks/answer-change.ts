import type { EndpointRow } from '@posthorn/db';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Actor, actorOf } from '../../access/actor.ts';
import { confirmChange } from '../../access/authorise.ts';
import type { AppParts } from '../../http/app.ts';
import { isProblem, type Problem, problem, sendProblem } from '../../http/problem.ts';
import { entityTag, staleWebhook } from './entity-tag.ts';
import { findWebhook, unknownWebhook } from './find-webhook.ts';
import type { EndpointChange, StaleEndpoint, UnverifiedEndpoint } from './store.ts';
import { viewWebhook } from './view-webhook.ts';

export type ChangeRequest = FastifyRequest<{ Params: { webhook_id: string } }>;

export type Apply = (
  found: EndpointRow,
  actor: Actor,
) => Promise<EndpointChange | StaleEndpoint | UnverifiedEndpoint | Problem | null>;

/**
 * Finds the webhook, makes the change with its audit row, and answers when every replica works with it. `shown` is what
 * the answer has beside the webhook, and what it has where the change cannot be confirmed.
 */
export async function answerChange(
  parts: AppParts,
  request: ChangeRequest,
  reply: FastifyReply,
  done: string,
  apply: Apply,
  shown: Readonly<Record<string, string>> = {},
): Promise<FastifyReply> {
  const { webhook_id: endpointId } = request.params;
  const actor = actorOf(request);
  const found = await findWebhook(parts, request.caller, endpointId);
  const changed = found && (await apply(found, actor));
  if (!found || !changed) return sendProblem(reply, unknownWebhook(endpointId));
  if (isProblem(changed)) return sendProblem(reply, changed);
  if (changed.kind === 'unverified') return sendProblem(reply, unverifiedWebhook(changed.row));
  if (changed.kind === 'stale') return sendProblem(reply, staleWebhook(changed.row));
  if (changed.change !== null) {
    const open = await confirmChange(parts.tenants, changed.change, { webhook_id: endpointId, ...shown });
    if (open) return sendProblem(reply, open);
    parts.log.info({ tenant_id: found.tenantId, webhook_id: endpointId, key_id: actor.keyId }, done);
  }
  if (changed.row === null) return reply.code(204).send();
  return reply.header('etag', entityTag(changed.row)).send({ ...viewWebhook(changed.row), ...shown });
}

export const disabledWebhook = ({ stateReason }: EndpointRow): Problem =>
  problem('webhook_disabled', `it is disabled (${stateReason ?? 'person'}): enable it first`);

const unverifiedWebhook = ({ url, endpointId }: EndpointRow): Problem =>
  problem(
    'webhook_unverified',
    `${url} has not agreed to get requests: POST /v1/webhooks/${endpointId}/verify first`,
  );
