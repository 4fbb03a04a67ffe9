import { type EndpointId, isEndpointId, isTenantId, mintEndpointId } from '@posthorn/contracts';
import type { EndpointRow } from '@posthorn/db';
import { generateSecret, parseSecret } from '@posthorn/signing';
import { type SecretsKey, SIGNING_SECRET_FIELD, sealSecret } from '@posthorn/tenant-config';
import Type, { type Static } from 'typebox';
import { isPlainText, TENANT_ID_RULE } from '../../accept/parse-event.ts';
import { actorOf } from '../../access/actor.ts';
import { type Caller, mayActFor } from '../../access/auth.ts';
import { confirmChange, unknownTenant } from '../../access/authorise.ts';
import type { App, AppParts } from '../../http/app.ts';
import { invalidRequest, type Problem, problem, sendProblem } from '../../http/problem.ts';
import { GivenFields, toChanges, urlField, viewWebhook, Webhook } from './fields.ts';

export interface WebhookParts {
  readonly secretsKey: SecretsKey;
  /** Why a URL may not be an endpoint, without asking DNS; null when it may. */
  readonly urlFault: (url: string) => string | null;
}

const MAX_LISTED = 1_000;

const newWebhook = (urlFault: WebhookParts['urlFault']) =>
  Type.Object(
    {
      tenant_id: Type.Refine(Type.String(), isTenantId, () => TENANT_ID_RULE),
      url: urlField(urlFault),
      secret: Type.Optional(Type.Refine(Type.String(), isSecret, secretFault)),
      ...GivenFields,
    },
    { additionalProperties: false },
  );
type NewWebhook = Static<ReturnType<typeof newWebhook>>;

const isSecret = (secret: string): boolean => isPlainText(secret) && parseSecret(secret).ok;

function secretFault(secret: string): string {
  const parsed = parseSecret(secret);
  return parsed.ok ? 'must be without control characters' : parsed.reason;
}

const CreatedWebhook = Type.Intersect([Webhook, Type.Object({ secret: Type.String() })]);
const WebhookList = Type.Object({ data: Type.Array(Webhook) });
const OfTenant = Type.Object({ tenant_id: Type.Optional(Type.String()) }, { additionalProperties: false });

export function webhookRoutes(app: App, parts: AppParts): void {
  createWebhook(app, parts);
  getWebhook(app, parts);
  listWebhooks(app, parts);
}

function createWebhook(app: App, parts: AppParts): void {
  const schema = { body: newWebhook(parts.urlFault), response: { 201: CreatedWebhook } };
  app.post('/webhooks', { schema }, async (request, reply) => {
    const { body, caller } = request;
    const tenantId = body.tenant_id;
    if (!mayActFor(caller, tenantId)) return sendProblem(reply, unknownTenant(tenantId));
    const endpointId = mintEndpointId(parts.clock.nowMs());
    const secret = body.secret ?? generateSecret();
    const endpoint = toEndpoint(body, endpointId);
    const sealedSecrets = [
      sealSecret(parts.secretsKey, { tenantId, endpointId, field: SIGNING_SECRET_FIELD }, secret),
    ];
    const result = await parts.store.createEndpoint(
      tenantId,
      { ...endpoint, sealedSecrets },
      actorOf(request),
    );
    if (result.kind === 'unknown_tenant') return sendProblem(reply, unknownTenant(tenantId));
    if (result.kind === 'too_many') return sendProblem(reply, tooMany(result.limit));
    const made = { webhook_id: endpointId, secret };
    const open = await confirmChange(parts.tenants, result.change, made);
    if (open) return sendProblem(reply, open);
    parts.log.info({ tenant_id: tenantId, webhook_id: endpointId, key_id: caller.keyId }, 'webhook created');
    const { createdAt } = result;
    const row = { ...endpoint, ...ACTIVE, tenantId, createdAt, updatedAt: createdAt };
    return reply.code(201).send({ ...viewWebhook(row), secret });
  });
}

const ACTIVE = { state: 'active', stateReason: null, pauseMode: null } as const;

function toEndpoint(body: NewWebhook, endpointId: EndpointId) {
  const unset = { description: '', eventTypes: ['*'], labels: {} };
  const limits = {
    retryScheduleMs: null,
    attemptTimeoutMs: null,
    maxConcurrency: null,
    maxPerSec: null,
    maxRetryMs: null,
  };
  return { endpointId, ...unset, ...limits, ...toChanges(body), url: body.url };
}

const tooMany = (limit: number): Problem =>
  problem('webhook_quota_exceeded', `max_webhooks is ${limit}`, { members: { limit } });

/** Null for one that is not there, was deleted, or is of a tenant that the key may not act for. */
export async function findWebhook(
  { store }: Pick<AppParts, 'store'>,
  caller: Caller,
  endpointId: string,
): Promise<EndpointRow | null> {
  if (!isEndpointId(endpointId)) return null;
  const row = await store.findEndpoint(caller.tenantId, endpointId);
  return row?.state === 'deleted' ? null : row;
}

export const unknownWebhook = (endpointId: string): Problem =>
  problem('webhook_not_found', `there is no webhook ${JSON.stringify(endpointId.slice(0, 64))}`);

export interface OfWebhook {
  Params: { webhook_id: string };
}

function getWebhook(app: App, parts: AppParts): void {
  const schema = { response: { 200: Webhook } };
  app.get<OfWebhook>('/webhooks/:webhook_id', { schema }, async (request, reply) => {
    const { webhook_id: endpointId } = request.params;
    const row = await findWebhook(parts, request.caller, endpointId);
    return row ? reply.send(viewWebhook(row)) : sendProblem(reply, unknownWebhook(endpointId));
  });
}

function listWebhooks(app: App, parts: AppParts): void {
  const schema = { querystring: OfTenant, response: { 200: WebhookList } };
  app.get('/webhooks', { schema }, async (request, reply) => {
    const tenantId = request.query.tenant_id ?? request.caller.tenantId;
    if (tenantId === null) return sendProblem(reply, TENANT_REQUIRED);
    const mayAsk = isTenantId(tenantId) && mayActFor(request.caller, tenantId);
    if (!mayAsk) return sendProblem(reply, unknownTenant(tenantId));
    const rows = await parts.store.listEndpoints(tenantId, MAX_LISTED);
    return reply.send({ data: rows.map(viewWebhook) });
  });
}

const TENANT_REQUIRED = invalidRequest([
  { pointer: '?tenant_id', detail: 'is required with an operator key' },
]);
