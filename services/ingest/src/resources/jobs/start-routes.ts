import { randomUUID } from 'node:crypto';
import { isDeliveryId } from '@posthorn/contracts';
import type { ReplayJobFilters, ReplayJobKind } from '@posthorn/db';
import type { FastifyReply } from 'fastify';
import Type, { type Static } from 'typebox';
import { type Actor, actorOf } from '../../access/actor.ts';
import { authorise } from '../../access/authorise.ts';
import type { App, AppParts } from '../../http/app.ts';
import { invalidRequest, isProblem, problem, sendProblem } from '../../http/problem.ts';
import { normaliseTime } from '../../http/read-time.ts';
import { Time } from '../../http/validation.ts';
import { DeadLetterFilters } from '../dead-letters/filters.ts';
import { disabledWebhook } from '../webhooks/change.ts';
import { findWebhook, type OfWebhook, unknownWebhook } from '../webhooks/routes.ts';
import { Job, viewJob } from './routes.ts';

const MAX_DELIVERY_IDS = 1_000;
const MAX_REASON_CHARS = 64;
const DEFAULT_RATE_PER_SEC = 100;
const MAX_RATE_PER_SEC = 1_000;

const Manner = {
  dry_run: Type.Optional(Type.Boolean()),
  rate_per_sec: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_RATE_PER_SEC })),
};

const BulkRetry = Type.Object(
  {
    ...DeadLetterFilters,
    since: Type.Optional(Time),
    until: Type.Optional(Time),
    reason: Type.Optional(Type.String({ minLength: 1, maxLength: MAX_REASON_CHARS, pattern: '^[a-z_]+$' })),
    delivery_ids: Type.Optional(
      Type.Array(
        Type.Refine(Type.String(), isDeliveryId, () => 'must be the id of a delivery'),
        { minItems: 1, maxItems: MAX_DELIVERY_IDS },
      ),
    ),
    ...Manner,
  },
  { additionalProperties: false },
);

const Span = Type.Object(
  { since: Time, until: Type.Optional(Time), ...Manner },
  { additionalProperties: false },
);

const Sample = Type.Object({
  event_id: Type.String(),
  webhook_id: Type.String(),
  event_type: Type.String(),
  delivery_id: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String()),
});
const DryRun = Type.Object({
  dry_run: Type.Literal(true),
  tenant_id: Type.String(),
  total: Type.Integer(),
  sample: Type.Array(Sample),
});
const response = { 200: DryRun, 202: Job };

export function startJobRoutes(app: App, parts: AppParts): void {
  app.post('/dlq/retry', { schema: { body: BulkRetry, response } }, async (request, reply) => {
    const { body, caller } = request;
    const tenantId = body.tenant_id ?? caller.tenantId;
    if (tenantId === null) return sendProblem(reply, TENANT_REQUIRED);
    const tenant = await authorise(parts.tenants, caller, tenantId);
    if (isProblem(tenant)) return sendProblem(reply, tenant);
    return start(parts, reply, actorOf(request), { tenantId, kind: 'dead_letters', ...toWish(body) });
  });
  for (const [path, kind] of OF_WEBHOOK) {
    app.post<OfWebhook & { Body: Static<typeof Span> }>(
      `/webhooks/:webhook_id/${path}`,
      { schema: { body: Span, response } },
      async (request, reply) => {
        const { body, caller } = request;
        const { webhook_id: endpointId } = request.params;
        const found = await findWebhook(parts, caller, endpointId);
        if (!found) return sendProblem(reply, unknownWebhook(endpointId));
        if (found.state === 'disabled') return sendProblem(reply, disabledWebhook(found));
        const wish = toWish({ ...body, webhook_id: endpointId });
        return start(parts, reply, actorOf(request), { tenantId: found.tenantId, kind, ...wish });
      },
    );
  }
}

const OF_WEBHOOK = [
  ['recover', 'recover'],
  ['replay-missing', 'missing'],
] as const satisfies readonly (readonly [string, ReplayJobKind])[];

const TENANT_REQUIRED = invalidRequest([
  { pointer: '/tenant_id', detail: 'is required with an operator key' },
]);

interface Wish {
  readonly filters: ReplayJobFilters;
  readonly ratePerSec: number;
  readonly isDryRun: boolean;
}

function toWish(body: Static<typeof BulkRetry>): Wish {
  const filters = {
    endpointId: body.webhook_id,
    eventType: body.event_type,
    since: normaliseTime(body.since) ?? undefined,
    until: normaliseTime(body.until) ?? undefined,
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
