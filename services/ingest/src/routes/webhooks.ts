import {
  type EndpointId,
  isEndpointId,
  isEventTypeFilter,
  isTenantId,
  type Labels,
  MAX_LABELS,
  MAX_SCHEDULE_MS,
  mintEndpointId,
} from '@posthorn/contracts';
import type { EndpointRow } from '@posthorn/db';
import { MAX_URL_CHARACTERS } from '@posthorn/egress';
import { generateSecret, parseSecret } from '@posthorn/signing';
import { type SecretsKey, SIGNING_SECRET_FIELD, sealSecret } from '@posthorn/tenant-config';
import Type, { type Static } from 'typebox';
import type { App, AppParts } from '../app.ts';
import { mayActFor } from '../auth.ts';
import { confirmChange, unknownTenant } from '../authorise.ts';
import { isPlainText, labelFault, TENANT_ID_RULE } from '../parse-event.ts';
import { invalidRequest, type Problem, problem, sendProblem } from '../problem.ts';

export interface WebhookParts {
  readonly secretsKey: SecretsKey;
  /** Why a URL may not be an endpoint, without asking DNS; null when it may. */
  readonly urlFault: (url: string) => string | null;
}

const MAX_EVENT_TYPES = 50;
const MAX_DESCRIPTION_CHARS = 500;
const MAX_RETRIES = 20;
const MIN_ATTEMPT_TIMEOUT_MS = 100;
const MAX_ATTEMPT_TIMEOUT_MS = 60_000;
const MAX_LISTED = 1_000;

const FILTER_RULE = 'must be an event type, "*", or a prefix such as "order.*"';
const LABELS_RULE = `must be at most ${MAX_LABELS} strings, with keys and values as of an event's labels`;

const newWebhook = (urlFault: WebhookParts['urlFault']) =>
  Type.Object(
    {
      tenant_id: Type.Refine(Type.String(), isTenantId, () => TENANT_ID_RULE),
      url: Type.Refine(
        Type.String({ maxLength: MAX_URL_CHARACTERS }),
        (url) => url.length > MAX_URL_CHARACTERS || urlFault(url) === null,
        (url) => urlFault(url) ?? '',
      ),
      event_types: Type.Optional(
        Type.Array(
          Type.Refine(Type.String(), isEventTypeFilter, () => FILTER_RULE),
          { minItems: 1, maxItems: MAX_EVENT_TYPES },
        ),
      ),
      labels: Type.Optional(
        Type.Refine(Type.Object({}, { additionalProperties: Type.String() }), areLabels, () => LABELS_RULE),
      ),
      secret: Type.Optional(Type.Refine(Type.String(), isSecret, secretFault)),
      description: Type.Optional(
        Type.Refine(
          Type.String({ maxLength: MAX_DESCRIPTION_CHARS }),
          isPlainText,
          () => 'must be plain text',
        ),
      ),
      retry_schedule: Type.Optional(
        Type.Refine(
          Type.Array(Type.Number({ minimum: 0 }), { maxItems: MAX_RETRIES }),
          (waits) => sumOf(waits) <= MAX_SCHEDULE_MS / 1_000,
          () => `must be at most ${MAX_SCHEDULE_MS / 1_000} seconds together`,
        ),
      ),
      attempt_timeout_ms: Type.Optional(
        Type.Integer({ minimum: MIN_ATTEMPT_TIMEOUT_MS, maximum: MAX_ATTEMPT_TIMEOUT_MS }),
      ),
    },
    { additionalProperties: false },
  );
type NewWebhook = Static<ReturnType<typeof newWebhook>>;

const sumOf = (waits: readonly number[]): number => waits.reduce((sum, wait) => sum + wait, 0);

function areLabels(labels: object): boolean {
  const entries = Object.entries(labels);
  return entries.length <= MAX_LABELS && entries.every(([key, value]) => labelFault(key, value) === null);
}

const isSecret = (secret: string): boolean => isPlainText(secret) && parseSecret(secret).ok;

function secretFault(secret: string): string {
  const parsed = parseSecret(secret);
  return parsed.ok ? 'must be without control characters' : parsed.reason;
}

const Webhook = Type.Object({
  webhook_id: Type.String(),
  tenant_id: Type.String(),
  url: Type.String(),
  event_types: Type.Array(Type.String()),
  labels: Type.Record(Type.String(), Type.String()),
  description: Type.String(),
  retry_schedule: Type.Union([Type.Array(Type.Number()), Type.Null()]),
  attempt_timeout_ms: Type.Union([Type.Integer(), Type.Null()]),
  state: Type.String(),
  state_reason: Type.Union([Type.String(), Type.Null()]),
  created_at: Type.String(),
  updated_at: Type.String(),
});
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
    const result = await parts.store.createEndpoint(tenantId, { ...endpoint, sealedSecrets }, caller.keyId);
    if (result.kind === 'unknown_tenant') return sendProblem(reply, unknownTenant(tenantId));
    if (result.kind === 'too_many') return sendProblem(reply, tooMany(result.limit));
    const made = { webhook_id: endpointId, secret };
    const open = await confirmChange(parts.tenants, result.change, made);
    if (open) return sendProblem(reply, open);
    parts.log.info({ tenant_id: tenantId, webhook_id: endpointId, key_id: caller.keyId }, 'webhook created');
    const { createdAt } = result;
    const row: EndpointRow = {
      ...endpoint,
      tenantId,
      state: 'active',
      stateReason: null,
      createdAt,
      updatedAt: createdAt,
    };
    return reply.code(201).send({ ...viewWebhook(row), secret });
  });
}

function toEndpoint(body: NewWebhook, endpointId: EndpointId) {
  return {
    endpointId,
    url: body.url,
    description: body.description ?? '',
    eventTypes: body.event_types ?? ['*'],
    labels: { ...(body.labels as Labels | undefined) },
    retryScheduleMs: body.retry_schedule?.map((seconds) => Math.round(seconds * 1_000)) ?? null,
    attemptTimeoutMs: body.attempt_timeout_ms ?? null,
  };
}

const tooMany = (limit: number): Problem =>
  problem('webhook_quota_exceeded', `max_webhooks is ${limit}`, { members: { limit } });

function getWebhook(app: App, parts: AppParts): void {
  app.get<{ Params: { webhook_id: string } }>(
    '/webhooks/:webhook_id',
    { schema: { response: { 200: Webhook } } },
    async (request, reply) => {
      const { webhook_id: endpointId } = request.params;
      const row = isEndpointId(endpointId)
        ? await parts.store.findEndpoint(request.caller.tenantId, endpointId)
        : null;
      if (!row || row.state === 'deleted') return sendProblem(reply, unknownWebhook(endpointId));
      return reply.send(viewWebhook(row));
    },
  );
}

const unknownWebhook = (endpointId: string): Problem =>
  problem('webhook_not_found', `there is no webhook ${JSON.stringify(endpointId.slice(0, 64))}`);

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

function viewWebhook(row: EndpointRow): Static<typeof Webhook> {
  return {
    webhook_id: row.endpointId,
    tenant_id: row.tenantId,
    url: row.url,
    event_types: row.eventTypes,
    labels: row.labels,
    description: row.description,
    retry_schedule: row.retryScheduleMs?.map((ms) => ms / 1_000) ?? null,
    attempt_timeout_ms: row.attemptTimeoutMs,
    state: row.state,
    state_reason: row.stateReason,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
