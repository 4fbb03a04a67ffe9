import type { App, AppParts } from '../../http/app.ts';
import { WebhookParams } from '../../http/fields.ts';
import { EVERYBODY, operation } from '../../http/operation.ts';
import { NoBody } from '../../http/validation.ts';
import { answerChange, disabledWebhook } from './answer-change.ts';
import { Pause } from './schema.ts';
import { Webhook } from './view-webhook.ts';

const PROBLEMS = ['webhook_not_found', 'webhook_disabled', 'change_unconfirmed'] as const;

export function pauseWebhook(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'pauseWebhook',
    tag: 'Webhooks',
    summary: 'Pause a webhook',
    description: 'Nothing is sent to it until it is resumed. The mode of a paused one can be changed.',
    access: { scope: 'manage', callers: EVERYBODY },
    params: WebhookParams,
    body: Pause,
    answers: { 200: Webhook },
    problems: PROBLEMS,
  });
  app.post('/webhooks/:webhook_id/pause', declared, async (request, reply) =>
    answerChange(parts, request, reply, 'webhook paused', async (found, actor) =>
      found.state === 'disabled'
        ? disabledWebhook(found)
        : parts.store.pauseEndpoint(found, request.body.mode, actor),
    ),
  );
}

export function resumeWebhook(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'resumeWebhook',
    tag: 'Webhooks',
    summary: 'Resume a webhook',
    description: 'What was held is sent. One that is not paused stays as it is.',
    access: { scope: 'manage', callers: EVERYBODY },
    params: WebhookParams,
    body: NoBody,
    answers: { 200: Webhook },
    problems: [...PROBLEMS, 'webhook_unverified'],
  });
  app.post('/webhooks/:webhook_id/resume', declared, async (request, reply) =>
    answerChange(parts, request, reply, 'webhook resumed', async (found, actor) =>
      found.state === 'disabled'
        ? disabledWebhook(found)
        : parts.store.resumeEndpoint(found, parts.verification, actor),
    ),
  );
}
