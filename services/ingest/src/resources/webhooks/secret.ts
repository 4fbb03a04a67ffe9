import { sealSecret } from '@posthorn/secrets';
import { generateSecret } from '@posthorn/signing';
import { SIGNING_SECRET_FIELD } from '@posthorn/tenant-config';
import Type from 'typebox';
import type { App, AppParts } from '../../http/app.ts';
import { WebhookParams } from '../../http/fields.ts';
import { EVERYBODY, operation } from '../../http/operation.ts';
import { type Problem, problem } from '../../http/problem.ts';
import { NoBody } from '../../http/validation.ts';
import { type Apply, answerChange } from './answer-change.ts';
import { SecretField } from './fields.ts';
import { makeSigningKey } from './make-signing-key.ts';
import { Webhook, WebhookWithSecret } from './view-webhook.ts';

const DEFAULT_GRACE_SECONDS = 24 * 3_600;
const MAX_GRACE_SECONDS = 7 * 24 * 3_600;

const Rotation = Type.Optional(
  Type.Object(
    {
      secret: Type.Optional(SecretField),
      grace_period_seconds: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: MAX_GRACE_SECONDS,
          description: `How long the secrets before sign as well; ${DEFAULT_GRACE_SECONDS} when left out, 0 ends them at once.`,
        }),
      ),
    },
    {
      title: 'SecretRotation',
      additionalProperties: false,
      examples: [{ grace_period_seconds: 3_600 }, { secret: 'another_webhook_secret' }],
    },
  ),
);

export function rotateSecret(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'rotateWebhookSecret',
    tag: 'Webhooks',
    summary: 'Rotate the secret',
    description:
      'The new secret is in this answer and never again. A webhook that has an ed25519 key gets a new one of it too (`public_key`). Until the grace period ends requests carry a signature of each, the new one first, so receivers can change over when they like.',
    access: { scope: 'manage', callers: EVERYBODY },
    params: WebhookParams,
    body: Rotation,
    answers: { 200: WebhookWithSecret },
    problems: ['webhook_not_found', 'too_many_secrets', 'change_unconfirmed'],
  });
  app.post('/webhooks/:webhook_id/secret/rotate', declared, async (request, reply) => {
    const { secret = generateSecret(), grace_period_seconds: grace = DEFAULT_GRACE_SECONDS } =
      request.body ?? {};
    const apply: Apply = async (found, actor) => {
      const { tenantId, endpointId } = found;
      const now = parts.clock.nowMs();
      const rotation = {
        sealedSecret: sealSecret(
          parts.keyRing,
          { tenantId, endpointId, field: SIGNING_SECRET_FIELD },
          secret,
        ),
        ...(found.publicKeys.length > 0 ? { signingKey: makeSigningKey(parts.keyRing, found) } : {}),
        graceEndsAt: new Date(now + grace * 1_000),
        now: new Date(now),
      };
      const rotated = await parts.store.rotateSecret(found, rotation, actor);
      return rotated?.kind === 'too_many' ? tooMany(rotated.limit) : rotated;
    };
    return answerChange(parts, request, reply, 'webhook secret rotated', apply, { secret });
  });
}

const tooMany = (limit: number): Problem =>
  problem('too_many_secrets', `${limit} secrets sign already`, { members: { limit } });

export function endGrace(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'endSecretGrace',
    tag: 'Webhooks',
    summary: 'End the grace period of earlier secrets',
    description: 'Only the current secret signs from now on.',
    access: { scope: 'manage', callers: EVERYBODY },
    params: WebhookParams,
    body: NoBody,
    answers: { 200: Webhook },
    problems: ['webhook_not_found', 'change_unconfirmed'],
  });
  app.delete('/webhooks/:webhook_id/secret/previous', declared, async (request, reply) =>
    answerChange(parts, request, reply, 'webhook secret grace ended', (found, actor) =>
      parts.store.endSecretGrace(found, actor),
    ),
  );
}
