import { randomUUID } from 'node:crypto';
import type { TopicSpec } from '@posthorn/contracts';
import type { ExpungeRow } from '@posthorn/db';
import Type, { type Static } from 'typebox';
import { actorOf } from '../../access/actor.ts';
import { authorise, authoriseCustomer } from '../../access/authorise.ts';
import { findTenantOfEvent } from '../../access/find-tenant.ts';
import type { App, AppParts } from '../../http/app.ts';
import { pageOf } from '../../http/cursor.ts';
import { AT, EVENT, JOB, LATER, TENANT } from '../../http/examples.ts';
import { EventParams, TenantParams } from '../../http/fields.ts';
import { operation } from '../../http/operation.ts';
import { isProblem, sendProblem } from '../../http/problem.ts';
import { NoBody, Nullable } from '../../http/validation.ts';
import { unknownEvent } from './read.ts';

/** A topic that holds payloads or answers to them, and how long it holds a record. */
export interface KeptInKafka {
  readonly topic: string;
  readonly retentionMs: number;
}

/** With the retention that the set-up job gives each. */
export const keptInKafka = (specs: readonly TopicSpec[]): KeptInKafka[] =>
  specs.map(({ name, config }) => ({ topic: name, retentionMs: Number(config['retention.ms']) }));

const StillInKafka = Type.Array(
  Type.Object({ topic: Type.String(), until: Type.String() }, { title: 'StillInKafka' }),
  {
    description:
      'Records in Kafka cannot be removed one by one. Those that there are now are gone by then, with the retention that Posthorn sets for its topics; an operator may have set a longer one. What is still under way is delivered, and is appended again by each retry.',
  },
);
const KEPT_EXAMPLE = [
  { topic: 'events', until: LATER },
  { topic: 'dead-letters', until: LATER },
];

const ExpungedPayload = Type.Object(
  { event_id: Type.String(), payload_expunged_at: Type.String(), still_in_kafka: StillInKafka },
  {
    title: 'ExpungedPayload',
    examples: [{ event_id: EVENT, payload_expunged_at: AT, still_in_kafka: KEPT_EXAMPLE }],
  },
);

const EXPUNGE_EXAMPLE = {
  expunge_id: JOB,
  tenant_id: TENANT,
  before: AT,
  state: 'running' as const,
  events: 1_200,
  asked_at: AT,
  done_at: null,
};

const Expunge = Type.Object(
  {
    expunge_id: Type.String(),
    tenant_id: Type.String(),
    before: Type.String({ description: 'Payloads of events that were accepted before it go.' }),
    state: Type.Enum(['running', 'done']),
    events: Type.Integer({ description: 'Whose payloads have gone so far.' }),
    asked_at: Type.String(),
    done_at: Nullable(Type.String()),
  },
  { title: 'Expunge', examples: [EXPUNGE_EXAMPLE] },
);
const StartedExpunge = Type.Object(
  { ...Expunge.properties, still_in_kafka: StillInKafka },
  { title: 'StartedExpunge', examples: [{ ...EXPUNGE_EXAMPLE, still_in_kafka: KEPT_EXAMPLE }] },
);
const ExpungePage = pageOf(Expunge, 'ExpungePage', EXPUNGE_EXAMPLE);
const MAX_EXPUNGES_LISTED = 100;

export function expungeRoutes(app: App, parts: AppParts): void {
  expungeEvent(app, parts);
  expungeTenant(app, parts);
  listExpunges(app, parts);
}

const WHAT_STAYS = `What stays until the retention of the record ends: ids, type, labels, times, states, statuses and error texts. It is not
possible to replay an event without its payload.`;

function expungeEvent(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'expungeEventPayload',
    tag: 'Events',
    summary: "Forget an event's payload",
    description: `Removes the payload and what receivers answered to it from the record, for good. ${WHAT_STAYS}`,
    access: { scope: 'manage' },
    params: EventParams,
    body: NoBody,
    answers: { 200: ExpungedPayload },
    problems: ['event_not_found'],
  });
  app.delete('/events/:event_id/payload', declared, async (request, reply) => {
    const { event_id: eventId } = request.params;
    const tenantId = await findTenantOfEvent(parts, request.caller, eventId);
    const expunged =
      tenantId === null ? null : await parts.store.expunges.event(tenantId, eventId, actorOf(request));
    if (expunged === null) return sendProblem(reply, unknownEvent(eventId));
    return reply.send({
      event_id: eventId,
      payload_expunged_at: expunged.payloadExpungedAt.toISOString(),
      still_in_kafka: stillInKafka(parts),
    });
  });
}

function expungeTenant(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'expungeTenantPayloads',
    tag: 'Tenants',
    summary: 'Forget all payloads of a tenant',
    description: `Removes, in the background, the payloads of all events that the tenant has sent until now and what receivers answered to
them. A second pass a quarter of an hour later takes what was recorded late; then it is done. Asked for again meanwhile, the
one that is under way goes as far as the last request. ${WHAT_STAYS}`,
    access: { scope: 'manage' },
    params: TenantParams,
    body: NoBody,
    answers: { 202: StartedExpunge },
    problems: ['tenant_not_found', 'tenant_reserved', 'tenant_unavailable'],
  });
  app.post('/tenants/:tenant_id/expunges', declared, async (request, reply) => {
    const { tenant_id: tenantId } = request.params;
    const tenant = await authoriseCustomer(parts.tenants, request.caller, tenantId);
    if (isProblem(tenant)) return sendProblem(reply, tenant);
    const started = await parts.store.expunges.tenant(tenantId, randomUUID(), actorOf(request));
    return reply.code(202).send({ ...viewExpunge(started), still_in_kafka: stillInKafka(parts) });
  });
}

function listExpunges(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'listExpunges',
    tag: 'Tenants',
    summary: "List what was asked to be forgotten of a tenant's payloads",
    description: `The last ${MAX_EXPUNGES_LISTED}, on one page; done ones are kept for 90 days.`,
    access: { scope: 'read' },
    params: TenantParams,
    answers: { 200: ExpungePage },
    problems: ['tenant_not_found', 'tenant_unavailable'],
  });
  app.get('/tenants/:tenant_id/expunges', declared, async (request, reply) => {
    const { tenant_id: tenantId } = request.params;
    const tenant = await authorise(parts.tenants, request.caller, tenantId);
    if (isProblem(tenant)) return sendProblem(reply, tenant);
    const rows = await parts.store.expunges.list(tenantId, MAX_EXPUNGES_LISTED);
    return reply.send({ data: rows.map(viewExpunge), next: null, prev: null });
  });
}

function stillInKafka({ keptInKafka, clock }: AppParts): Static<typeof StillInKafka> {
  const nowMs = clock.nowMs();
  return keptInKafka.map(({ topic, retentionMs }) => ({
    topic,
    until: new Date(nowMs + retentionMs).toISOString(),
  }));
}

const viewExpunge = (row: ExpungeRow): Static<typeof Expunge> => ({
  expunge_id: row.expungeId,
  tenant_id: row.tenantId,
  before: row.before.toISOString(),
  state: row.doneAt === null ? 'running' : 'done',
  events: row.events,
  asked_at: row.askedAt.toISOString(),
  done_at: row.doneAt?.toISOString() ?? null,
});
