import { type EndpointId, mintEventId } from '@posthorn/contracts';
import type { EndpointConfig } from '@posthorn/tenant-config';
import Type from 'typebox';
import type { App, AppParts } from '../../../http/app.ts';
import { WebhookParams } from '../../../http/fields.ts';
import { EVERYBODY, operation } from '../../../http/operation.ts';
import { isProblem, type Problem, problem, retryAfter } from '../../../http/problem.ts';
import { answerChange } from '../answer-change.ts';
import { Webhook } from '../view-webhook.ts';
import type { HandshakeMethod, HandshakeResult, Handshakes } from './handshake.ts';
import type { VerificationRule } from './judge-state.ts';
import { toCandidate } from './to-candidate.ts';

export interface Verification extends VerificationRule {
  readonly handshakes: Pick<Handshakes, 'perform'>;
}

const VerificationRequest = Type.Optional(
  Type.Object(
    {
      method: Type.Optional(
        Type.Enum(['challenge', 'cloudevents'], {
          description:
            '`challenge`, the default: a signed POST whose answer repeats a text. `cloudevents`: an OPTIONS request as CloudEvents’ *HTTP 1.1 Web Hooks* has it.',
        }),
      ),
    },
    {
      title: 'VerificationRequest',
      additionalProperties: false,
      examples: [{ method: 'challenge' }, { method: 'cloudevents' }],
    },
  ),
);

const DESCRIPTION = `Asks the receiver at the webhook's URL whether it wants requests. When it agrees, \`verified_at\` says so, and a webhook that
waited for that (\`state_reason\` \`unverified\`) gets events from this answer on. Asking again does no harm.`;

export function verifyWebhook(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'verifyWebhook',
    tag: 'Webhooks',
    summary: 'Ask the receiver of a webhook',
    description: DESCRIPTION,
    access: { scope: 'manage', callers: EVERYBODY },
    params: WebhookParams,
    body: VerificationRequest,
    answers: { 200: Webhook },
    problems: [
      'webhook_not_found',
      'verification_failed',
      'tenant_unavailable',
      'precondition_failed',
      'change_unconfirmed',
    ],
  });
  app.post('/webhooks/:webhook_id/verify', declared, async (request, reply) => {
    const { method = 'challenge' } = request.body ?? {};
    return answerChange(parts, request, reply, 'webhook verified', async (found, actor) => {
      const endpoint = await findConfig(parts, found.tenantId, found.endpointId);
      if (isProblem(endpoint)) return endpoint;
      const result = await askReceiver(parts, endpoint, method);
      if (result.kind === 'busy') return BUSY;
      if (result.kind === 'declined') return problem('verification_failed', result.detail);
      const { url } = endpoint;
      return parts.store.verifyEndpoint(found, { url, maxPerSec: result.maxPerSec }, actor);
    });
  });
}

async function askReceiver(
  { clock, verification, signatureHeaderPrefix: headerPrefix }: AppParts,
  endpoint: EndpointConfig,
  method: HandshakeMethod,
): Promise<HandshakeResult> {
  const nowMs = clock.nowMs();
  const made = toCandidate(endpoint, { headerPrefix, nowMs, messageId: mintEventId(nowMs) });
  return made.kind === 'declined' ? made : verification.handshakes.perform(made.candidate, method);
}

const BUSY = problem('overloaded', 'too many receivers are being asked: try again', retryAfter(5));
const NOT_HAD = problem('tenant_unavailable', 'nothing was done: try again', retryAfter(1));

/** What deliveries to it work with, its secrets among it. */
async function findConfig(
  { tenants }: Pick<AppParts, 'tenants'>,
  tenantId: string,
  endpointId: string,
): Promise<EndpointConfig | Problem> {
  const lookup = await tenants.get(tenantId);
  const endpoint =
    lookup.kind === 'found' ? lookup.config.endpoints.get(endpointId as EndpointId) : undefined;
  return endpoint ?? NOT_HAD;
}
