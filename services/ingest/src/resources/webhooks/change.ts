import type { EndpointChanges, EndpointRow } from '@posthorn/db';
import type { FastifyReply } from 'fastify';
import Type from 'typebox';
import type { App, AppParts } from '../../http/app.ts';
import { WebhookParams } from '../../http/fields.ts';
import { EVERYBODY, operation } from '../../http/operation.ts';
import { isProblem, type Problem, sendProblem } from '../../http/problem.ts';
import { NoBody } from '../../http/validation.ts';
import { answerChange, type ChangeRequest } from './answer-change.ts';
import { PRECONDITION_REQUIRED, readIfMatch } from './entity-tag.ts';
import { type Addressed, authProblem, labelsProblem, movedProblem, stateProblem } from './judge-change.ts';
import { type WebhookChanges, webhookChanges, webhookReplacement } from './schema.ts';
import { toChanges, UNSET } from './to-changes.ts';
import { Webhook } from './view-webhook.ts';

export const CHANGE_PROBLEMS = ['webhook_not_found', 'precondition_failed', 'change_unconfirmed'] as const;

export const IfMatch = Type.Object({
  'if-match': Type.Optional(
    Type.String({ description: 'The `ETag` of the state that is meant, or `*`.', examples: ['"42"'] }),
  ),
});

export function changeWebhook(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'changeWebhook',
    tag: 'Webhooks',
    summary: 'Change a webhook',
    description:
      'Only what is named changes; objects and lists as a whole. `null` puts a limit back to its default. With `If-Match` only if it is still as it was seen.',
    access: { scope: 'manage', callers: EVERYBODY },
    params: WebhookParams,
    headers: IfMatch,
    body: webhookChanges(parts.urlFault),
    answers: { 200: Webhook },
    problems: [...CHANGE_PROBLEMS, 'webhook_disabled', 'webhook_unverified'],
  });
  app.patch('/webhooks/:webhook_id', declared, async (request, reply) =>
    applyFields(parts, request, reply, request.body, {}),
  );
}

export function replaceWebhook(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'replaceWebhook',
    tag: 'Webhooks',
    summary: 'Replace a webhook',
    description:
      'What is left out goes back to its default; but `enabled` and `paused` stay as they are. `If-Match` says what is replaced: the `ETag` of it, or `*`. The secret stays: it is rotated.',
    access: { scope: 'manage', callers: EVERYBODY },
    params: WebhookParams,
    headers: IfMatch,
    body: webhookReplacement(parts.urlFault),
    answers: { 200: Webhook },
    problems: [...CHANGE_PROBLEMS, 'precondition_required', 'webhook_disabled', 'webhook_unverified'],
  });
  app.put('/webhooks/:webhook_id', declared, async (request, reply) =>
    request.headers['if-match'] === undefined
      ? sendProblem(reply, PRECONDITION_REQUIRED)
      : applyFields(parts, request, reply, request.body, UNSET),
  );
}

export function deleteWebhook(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'deleteWebhook',
    tag: 'Webhooks',
    summary: 'Delete a webhook',
    description: 'What is queued for it is cancelled. It cannot be brought back.',
    access: { scope: 'manage', callers: EVERYBODY },
    params: WebhookParams,
    headers: IfMatch,
    body: NoBody,
    answers: { 204: Type.Null({ description: 'It is gone.' }) },
    problems: CHANGE_PROBLEMS,
  });
  app.delete('/webhooks/:webhook_id', declared, async (request, reply) => {
    const expected = readIfMatch(request.headers['if-match']);
    if (expected && isProblem(expected)) return sendProblem(reply, expected);
    return answerChange(parts, request, reply, 'webhook deleted', (found, actor) =>
      parts.store.deleteEndpoint(found, expected, actor),
    );
  });
}

/** What is given, over `unset` for all that is not. */
export async function applyFields(
  parts: AppParts,
  request: ChangeRequest,
  reply: FastifyReply,
  given: WebhookChanges,
  unset: typeof UNSET | Record<string, never>,
): Promise<FastifyReply> {
  const { enabled, paused, ...fields } = given;
  const expected = readIfMatch(request.headers['if-match']);
  if (expected && isProblem(expected)) return sendProblem(reply, expected);
  return answerChange(parts, request, reply, 'webhook changed', async (first, actor) => {
    for (let found = first, tries = 1; ; tries++) {
      const changes = toChanges(parts, found, fields);
      if (isProblem(changes)) return changes;
      const whole = { ...unset, ...changes };
      const refused = refuse(request, found, { ...found, ...whole }, given);
      if (refused) return refused;
      const judged = expected ?? (touchesSecrets(whole) ? new Set([found.revision]) : null);
      const { mustAgree } = parts.verification;
      const to = { fields: whole, enabled, paused, expected: judged, mustAgree };
      const changed = await parts.store.changeEndpoint(found, to, actor);
      if (changed?.kind !== 'stale' || expected !== null || tries === MAX_TRIES) return changed;
      found = changed.row;
    }
  });
}

/** Of a change that meets others of the same webhook; beyond it the answer is that it was changed meanwhile. */
const MAX_TRIES = 5;

/** Whether a stored secret may stay was judged by the state that was found: such a change is for that state alone. */
const touchesSecrets = (changes: EndpointChanges): boolean =>
  SECRET_FIELDS.some((field) => changes[field] !== undefined);
const SECRET_FIELDS = ['url', 'sealedHeaders', 'sealedAuth', 'sealedTls'] as const;

function refuse(
  request: ChangeRequest,
  found: EndpointRow,
  wanted: Addressed & Pick<EndpointRow, 'labels'>,
  given: WebhookChanges,
): Problem | null {
  return (
    labelsProblem(request.caller, wanted.labels) ??
    movedProblem(found, wanted, given) ??
    authProblem(wanted) ??
    stateProblem(found, given)
  );
}
