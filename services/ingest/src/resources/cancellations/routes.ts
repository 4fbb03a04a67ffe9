import { OPERATOR_TENANT_ID } from '@posthorn/contracts';
import type { FastifyReply } from 'fastify';
import Type, { type TSchema } from 'typebox';
import { type Actor, actorOf } from '../../access/actor.ts';
import { authorise, confirmChange, unknownTenant } from '../../access/authorise.ts';
import { type Caller, type CallerKind, mayActFor } from '../../access/caller.ts';
import { findTenantOfEvent } from '../../access/find-tenant.ts';
import type { App, AppParts } from '../../http/app.ts';
import { EVENT, TENANT } from '../../http/examples.ts';
import { EventParams, TenantParams, WebhookParams } from '../../http/fields.ts';
import { journalProblem } from '../../http/journal-problem.ts';
import { EVERYBODY, operation, type Tag } from '../../http/operation.ts';
import { isProblem, type Problem, type ProblemCode, problem, sendProblem } from '../../http/problem.ts';
import { NoBody, Nullable } from '../../http/validation.ts';
import { unknownEvent } from '../events/read.ts';
import { findWebhook, unknownWebhook } from '../webhooks/find-webhook.ts';

const Cancelled = Type.Object(
  {
    tenant_id: Type.String(),
    webhook_id: Nullable(Type.String()),
    event_id: Nullable(Type.String()),
    revision: Type.Integer({ description: 'What was accepted before it is cancelled.' }),
  },
  {
    title: 'Cancelled',
    examples: [{ tenant_id: TENANT, webhook_id: null, event_id: EVENT, revision: 1207 }],
  },
);

const declare = <P extends TSchema>(
  id: string,
  tag: Tag,
  of: string,
  params: P,
  refusals: readonly ProblemCode[],
  callers?: readonly CallerKind[],
) =>
  operation({
    id,
    tag,
    summary: `Cancel what is queued of ${of}`,
    description:
      'Nothing of it is sent once every worker has seen the change, 5 s at most; what is under way ends. Replays made later are sent.',
    access: { scope: 'manage', ...(callers ? { callers } : {}) },
    params,
    body: NoBody,
    answers: { 202: Cancelled },
    problems: [
      ...refusals,
      'too_many_cancellations',
      'change_unconfirmed',
      'not_accepted',
      'outcome_unknown',
    ],
  });

/** What is cancelled: all that is queued of a tenant, of one endpoint, or of one event. */
interface Scope {
  readonly tenantId: string;
  readonly endpointId: string | null;
  readonly eventId: string | null;
}

export function cancelRoutes(app: App, parts: AppParts): void {
  const ofEvent = declare('cancelEvent', 'Events', 'an event', EventParams, ['event_not_found']);
  app.post('/events/:event_id/cancel', ofEvent, async (request, reply) => {
    const { event_id: eventId } = request.params;
    const tenantId = await findOwnerOfEvent(parts, request.caller, eventId);
    if (tenantId === null) return sendProblem(reply, unknownEvent(eventId));
    return cancel(parts, reply, actorOf(request), { tenantId, endpointId: null, eventId });
  });
  const ofWebhook = declare(
    'cancelDeliveriesOfWebhook',
    'Webhooks',
    'a webhook',
    WebhookParams,
    ['webhook_not_found'],
    EVERYBODY,
  );
  app.post('/webhooks/:webhook_id/cancel', ofWebhook, async (request, reply) => {
    const { webhook_id: endpointId } = request.params;
    const found = await findWebhook(parts, request.caller, endpointId);
    if (!found) return sendProblem(reply, unknownWebhook(endpointId));
    return cancel(parts, reply, actorOf(request), { tenantId: found.tenantId, endpointId, eventId: null });
  });
  const ofTenant = declare('cancelDeliveriesOfTenant', 'Tenants', 'a tenant', TenantParams, [
    'tenant_not_found',
    'tenant_unavailable',
  ]);
  app.post('/tenants/:tenant_id/cancel', ofTenant, async (request, reply) => {
    const { tenant_id: tenantId } = request.params;
    const tenant = await authorise(parts.tenants, request.caller, tenantId);
    const refused = isProblem(tenant) ? tenant : refuseSystemWebhooks(request.caller, tenantId);
    if (refused) return sendProblem(reply, refused);
    return cancel(parts, reply, actorOf(request), { tenantId, endpointId: null, eventId: null });
  });
}

/** What is queued of the operator's own tenant is for system webhooks too: those are for admins. */
const refuseSystemWebhooks = ({ scopes }: Caller, tenantId: string): Problem | null =>
  tenantId === OPERATOR_TENANT_ID && !scopes.has('admin')
    ? problem('forbidden', 'this needs the scope admin')
    : null;

/** Asked for although a tenant's key names its tenant: an event that is not there must not take a place in the list. */
async function findOwnerOfEvent(parts: AppParts, caller: Caller, eventId: string): Promise<string | null> {
  if ((await findTenantOfEvent(parts, caller, eventId)) === null) return null;
  const owner = await parts.store.findEventTenant(eventId);
  return owner !== null && mayActFor(caller, owner) ? owner : null;
}

const tooMany = (limit: number): Problem =>
  problem(
    'too_many_cancellations',
    `${limit} are in force: a cancellation for the whole tenant takes their place`,
    {
      members: { limit },
    },
  );

/**
 * Nothing of it is sent once every worker has seen the change (5 s at most); the record says `cancelled` as soon as
 * the journal has told the recorder. Asked for again it does no harm.
 */
async function cancel(
  parts: AppParts,
  reply: FastifyReply,
  actor: Actor,
  scope: Scope,
): Promise<FastifyReply> {
  const { tenantId, endpointId, eventId } = scope;
  const inserted = await parts.store.cancellations.insert(tenantId, { endpointId, eventId }, actor);
  if (inserted === null) return sendProblem(reply, unknownTenant(tenantId));
  if (inserted.kind === 'too_many') return sendProblem(reply, tooMany(inserted.limit));
  const { change: revision } = inserted;
  const unwritten = await journalProblem(
    parts.journal({ kind: 'purged', ...scope, revision, atMs: parts.clock.nowMs() }),
  );
  if (unwritten) return sendProblem(reply, unwritten);
  const open = await confirmChange(parts.tenants, revision, { tenant_id: tenantId });
  if (open) return sendProblem(reply, open);
  const subject = { tenant_id: tenantId, webhook_id: endpointId, event_id: eventId };
  parts.log.info({ ...subject, revision, key_id: actor.keyId }, 'deliveries cancelled');
  return reply.code(202).send({ ...subject, revision });
}
