import { type EndpointId, type Labels, mintEndpointId } from '@posthorn/contracts';
import type { NewEndpoint } from '@posthorn/db';
import { sealSecret } from '@posthorn/secrets';
import { generateSecret } from '@posthorn/signing';
import { SIGNING_SECRET_FIELD } from '@posthorn/tenant-config';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { actorOf } from '../../access/actor.ts';
import { confirmChange, unknownTenant } from '../../access/authorise.ts';
import { tenantOfNew } from '../../access/tenant-of.ts';
import type { App, AppParts } from '../../http/app.ts';
import { EVERYBODY, operation } from '../../http/operation.ts';
import { isProblem, type Problem, problem, sendProblem } from '../../http/problem.ts';
import { entityTag } from './entity-tag.ts';
import { authProblem, labelsProblem, stateProblem } from './judge-change.ts';
import { type NewWebhook, newWebhook } from './schema.ts';
import type { Sealing } from './seal-auth.ts';
import { toChanges, UNSET } from './to-changes.ts';
import { viewWebhook, WebhookWithSecret } from './view-webhook.ts';

const DESCRIPTION = `It gets events from the moment of this answer on. The secret is in the answer and never again.

A portal token makes webhooks for its own tenant that carry the token's labels.`;

export function createWebhook(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'createWebhook',
    tag: 'Webhooks',
    summary: 'Create a webhook',
    description: DESCRIPTION,
    access: { scope: 'manage', callers: EVERYBODY },
    body: newWebhook(parts.urlFault),
    answers: { 201: WebhookWithSecret },
    problems: ['tenant_not_found', 'webhook_quota_exceeded', 'change_unconfirmed'],
  });
  app.post('/webhooks', declared, async (request, reply) => {
    const { body, caller } = request;
    const owner = tenantOfNew(caller, body.tenant_id);
    if (isProblem(owner)) return sendProblem(reply, owner);
    const refused = labelsProblem(caller, (body.labels ?? {}) as Labels);
    if (refused) return sendProblem(reply, refused);
    return makeWebhook(parts, request, reply, { ...owner, scope: 'tenant', path: '/webhooks' });
  });
}

interface Making {
  readonly tenantId: string;
  readonly scope: NonNullable<NewEndpoint['scope']>;
  /** Where it is found, without the prefix. */
  readonly path: string;
}

/** Makes the webhook with its audit row, and answers when every replica works with it. */
export async function makeWebhook(
  parts: AppParts,
  request: FastifyRequest<{ Body: NewWebhook }>,
  reply: FastifyReply,
  { tenantId, scope, path }: Making,
): Promise<FastifyReply> {
  const { body, caller } = request;
  const { enabled, paused, secret = generateSecret() } = body;
  const refused = stateProblem(null, body);
  if (refused) return sendProblem(reply, refused);
  const endpointId = mintEndpointId(parts.clock.nowMs());
  const endpoint = toEndpoint(parts, { tenantId, endpointId, body, secret });
  if (isProblem(endpoint)) return sendProblem(reply, endpoint);
  const { mustAgree } = parts.verification;
  const wanted = { enabled, paused, mustAgree };
  const made = await parts.store.createEndpoint(tenantId, { ...endpoint, scope }, wanted, actorOf(request));
  if (made.kind === 'unknown_tenant') return sendProblem(reply, unknownTenant(tenantId));
  if (made.kind === 'too_many') return sendProblem(reply, tooMany(made.limit));
  const open = await confirmChange(parts.tenants, made.change, { webhook_id: endpointId, secret });
  if (open) return sendProblem(reply, open);
  parts.log.info({ tenant_id: tenantId, webhook_id: endpointId, key_id: caller.keyId }, 'webhook created');
  return reply
    .code(201)
    .header('location', `/v1${path}/${endpointId}`)
    .header('etag', entityTag(made.row))
    .send({ ...viewWebhook(made.row), secret });
}

interface Wanted {
  readonly tenantId: string;
  readonly endpointId: EndpointId;
  readonly body: NewWebhook;
  readonly secret: string;
}

function toEndpoint(parts: Pick<AppParts, keyof Sealing>, wanted: Wanted) {
  const { tenantId, endpointId, body, secret } = wanted;
  const changes = toChanges(parts, { ...UNSET, publicKeys: [], tenantId, endpointId }, body);
  if (isProblem(changes)) return changes;
  const whole = { ...UNSET, ...changes, endpointId, url: body.url };
  const refused = authProblem(whole);
  if (refused) return refused;
  const sealedSecrets = [
    sealSecret(parts.keyRing, { tenantId, endpointId, field: SIGNING_SECRET_FIELD }, secret),
  ];
  return { ...whole, sealedSecrets };
}

const tooMany = (limit: number): Problem =>
  problem('webhook_quota_exceeded', `max_webhooks is ${limit}`, { members: { limit } });
