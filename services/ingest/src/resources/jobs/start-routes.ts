import { randomUUID } from 'node:crypto';
import type { ReplayJobFilters, ReplayJobKind } from '@posthorn/db';
import type { FastifyReply } from 'fastify';
import Type, { type Static } from 'typebox';
import { type Actor, actorOf } from '../../access/actor.ts';
import { authorise } from '../../access/authorise.ts';
import { tenantOfNew } from '../../access/tenant-of.ts';
import type { App, AppParts } from '../../http/app.ts';
import { AT, DELIVERY, EVENT, TENANT, WEBHOOK } from '../../http/examples.ts';
import { deliveryId, tenantId, WebhookParams } from '../../http/fields.ts';
import { EVERYBODY, operation } from '../../http/operation.ts';
import { invalidRequest, isProblem, problem, sendProblem } from '../../http/problem.ts';
import { Time } from '../../http/validation.ts';
import { DeadLetterFilters, spanOf } from '../dead-letters/schema.ts';
import { disabledWebhook } from '../webhooks/answer-change.ts';
import { findWebhook, unknownWebhook } from '../webhooks/find-webhook.ts';
import { Job, viewJob } from './routes.ts';

const MAX_DELIVERY_IDS = 1_000;
const DEFAULT_RATE_PER_SEC = 100;
const MAX_RATE_PER_SEC = 1_000;

const Manner = {
  dry_run: Type.Optional(Type.Boolean()),
  rate_per_sec: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_RATE_PER_SEC })),
};

const BulkRetry = Type.Object(
  {
    ...DeadLetterFilters,
    tenant_id: Type.Optional(tenantId('Needed with an operator key; with others their own tenant.')),
    delivery_ids: Type.Optional(Type.Array(deliveryId(), { minItems: 1, maxItems: MAX_DELIVERY_IDS })),
    ...Manner,
  },
  {
    additionalProperties: false,
    examples: [{ tenant_id: TENANT, webhook_id: WEBHOOK, min_created_at: AT, dry_run: true }],
  },
);

const Span = Type.Object(
  { since: Time, until: Type.Optional(Time), ...Manner },
  { additionalProperties: false, examples: [{ since: AT, rate_per_sec: 50 }] },
);

const Sample = Type.Object({
  event_id: Type.String(),
  webhook_id: Type.String(),
  event_type: Type.String(),
  delivery_id: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String()),
});
const DryRun = Type.Object(
  {
    dry_run: Type.Literal(true),
    tenant_id: Type.String(),
    total: Type.Integer({ description: 'Counted up to 100,000.' }),
    sample: Type.Array(Sample),
  },
  {
    title: 'JobPreview',
    description: 'Of a dry run: what a job would begin with.',
    examples: [
      {
        dry_run: true,
        tenant_id: TENANT,
        total: 1_240,
        sample: [
          {
            event_id: EVENT,
            webhook_id: WEBHOOK,
            event_type: 'order.created',
            delivery_id: DELIVERY,
            reason: 'attempts_exhausted',
          },
        ],
      },
    ],
  },
);
const answers = { 200: DryRun, 202: Job };

export function startJobRoutes(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'retryDeadLetters',
    tag: 'Dead letters',
    summary: 'Retry many dead letters',
    description:
      'All filters that are given hold. Without `dry_run` the answer is a job that runs at `rate_per_sec`.',
    access: { scope: 'manage' },
    body: BulkRetry,
    answers,
    problems: ['tenant_not_found', 'tenant_unavailable', 'too_many_jobs'],
  });
  app.post('/dlq/retry', declared, async (request, reply) => {
    const { body, caller } = request;
    const owner = tenantOfNew(caller, body.tenant_id);
    if (isProblem(owner)) return sendProblem(reply, owner);
    const { tenantId } = owner;
    const tenant = await authorise(parts.tenants, caller, tenantId);
    if (isProblem(tenant)) return sendProblem(reply, tenant);
    return start(parts, reply, actorOf(request), { tenantId, kind: 'dead_letters', ...toWish(body) });
  });
  for (const each of OF_WEBHOOK) startOfWebhook(app, parts, each);
}

function startOfWebhook(app: App, parts: AppParts, { path, kind, id, summary }: OfWebhookJob): void {
  const declared = operation({
    id,
    tag: 'Webhooks',
    summary,
    description: '`until` is now unless it is given. Without `dry_run` the answer is a job.',
    access: { scope: 'manage', callers: EVERYBODY },
    params: WebhookParams,
    body: Span,
    answers,
    problems: ['webhook_not_found', 'webhook_disabled', 'too_many_jobs'],
  });
  app.post(`/webhooks/:webhook_id/${path}`, declared, async (request, reply) => {
    const { body, caller } = request;
    const { webhook_id: endpointId } = request.params;
    const found = await findWebhook(parts, caller, endpointId);
    if (!found) return sendProblem(reply, unknownWebhook(endpointId));
    if (found.state === 'disabled') return sendProblem(reply, disabledWebhook(found));
    const wish = toWish({ ...body, webhook_id: endpointId });
    return start(parts, reply, actorOf(request), { tenantId: found.tenantId, kind, ...wish });
  });
}

interface OfWebhookJob {
  readonly path: string;
  readonly kind: ReplayJobKind;
  readonly id: string;
  readonly summary: string;
}

const OF_WEBHOOK: readonly OfWebhookJob[] = [
  {
    path: 'recover',
    kind: 'recover',
    id: 'recoverWebhook',
    summary: 'Send again all that failed in a span',
  },
  {
    path: 'replay-missing',
    kind: 'missing',
    id: 'replayMissing',
    summary: 'Send what was accepted in a span and never sent to this webhook',
  },
];

interface Wish {
  readonly filters: ReplayJobFilters;
  readonly ratePerSec: number;
  readonly isDryRun: boolean;
}

function toWish(body: Static<typeof BulkRetry>): Wish {
  const filters = {
    endpointId: body.webhook_id,
    eventType: body.event_type,
    ...spanOf(body),
    reason: body.reason,
    deliveryIds: body.delivery_ids && [...new Set(body.delivery_ids)],
  };
  return {
    filters: Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== undefined)),
    ratePerSec: body.rate_per_sec ?? DEFAULT_RATE_PER_SEC,
    isDryRun: body.dry_run ?? false,
  };
}

interface NewJob extends Wish {
  readonly tenantId: string;
  readonly kind: ReplayJobKind;
}

/** A dry run says what a job would begin with; what fails or is delivered meanwhile changes it. */
async function start(
  parts: AppParts,
  reply: FastifyReply,
  actor: Actor,
  { tenantId, kind, filters, ratePerSec, isDryRun }: NewJob,
): Promise<FastifyReply> {
  const { since, until } = filters;
  if (since !== undefined && until !== undefined && since > until) return sendProblem(reply, ENDS_BEFORE);
  if (isDryRun) {
    const { total, sample } = await parts.store.previewJob(tenantId, kind, filters);
    return reply.code(200).send({ dry_run: true, tenant_id: tenantId, total, sample });
  }
  const job = { jobId: randomUUID(), tenantId, kind, filters, ratePerSec };
  const created = await parts.store.createJob(job, actor);
  if (created.kind === 'too_many') {
    const detail = `${created.limit} jobs are not over yet: wait for one or cancel one`;
    return sendProblem(reply, problem('too_many_jobs', detail, { members: { limit: created.limit } }));
  }
  parts.log.info({ tenant_id: tenantId, job_id: job.jobId, job: kind, key_id: actor.keyId }, 'job created');
  return reply.code(202).send(viewJob(created.row));
}

const ENDS_BEFORE = invalidRequest([{ pointer: '/until', detail: 'is before since' }]);
