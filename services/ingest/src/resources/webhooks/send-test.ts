import { deriveDeliveryId, isEventType } from '@posthorn/contracts';
import type { AttemptRow, EndpointRow } from '@posthorn/db';
import Type, { type Static } from 'typebox';
import { type AcceptedEvent, acceptEvent } from '../../accept/accept-event.ts';
import { JSON_CONTENT_TYPE, type PostedEvent } from '../../accept/posted-event.ts';
import { actorOf } from '../../access/actor.ts';
import type { Caller } from '../../access/caller.ts';
import type { App, AppParts } from '../../http/app.ts';
import { eventType, WebhookParams } from '../../http/fields.ts';
import { EVERYBODY, operation } from '../../http/operation.ts';
import { isProblem, sendProblem } from '../../http/problem.ts';
import { disabledWebhook } from './answer-change.ts';
import { findWebhook, unknownWebhook } from './find-webhook.ts';
import { type Queued, TestQueued, TestResult, viewTest, type Warnings } from './view-test.ts';

const MAX_WAIT_SECONDS = 10;
const DEFAULT_TYPE = 'webhook.test';
const SAMPLE = '{"test":true,"message":"A test of this webhook."}';

const TestRequest = Type.Optional(
  Type.Object(
    {
      event_type: Type.Optional(
        eventType(`Left out: the first type that the webhook names whole, or \`${DEFAULT_TYPE}\`.`),
      ),
      payload: Type.Optional(
        Type.Unknown({
          description:
            'Any JSON; it is written anew, so numbers beyond double precision change. Left out: the example of the type in the catalogue, or a sample.',
        }),
      ),
      wait_seconds: Type.Optional(
        Type.Number({
          minimum: 0,
          maximum: MAX_WAIT_SECONDS,
          description: `How long to wait for the outcome; ${MAX_WAIT_SECONDS} when left out.`,
        }),
      ),
    },
    {
      title: 'WebhookTest',
      additionalProperties: false,
      examples: [{ event_type: 'order.created' }, { event_type: 'order.created', payload: { id: 'o-1' } }],
    },
  ),
);
type TestRequest = Static<typeof TestRequest>;

const DESCRIPTION = `A sample goes the way of every event, but to this webhook alone, whatever it subscribes to. It counts against the
tenant's rate, is recorded, signed and retried like any other.

The answer has the request as it was signed, the response and its timing once the first attempt is recorded. When that
is not so in time, and at once for a paused webhook, it is a 202 with the \`delivery_id\` to look for.`;

export function testWebhook(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'testWebhook',
    tag: 'Webhooks',
    summary: 'Send a test event to a webhook',
    description: DESCRIPTION,
    access: { scope: 'manage', callers: EVERYBODY },
    params: WebhookParams,
    body: TestRequest,
    answers: { 200: TestResult, 202: TestQueued },
    problems: [
      'webhook_not_found',
      'webhook_disabled',
      'tenant_unavailable',
      'event_type_unknown',
      'payload_invalid',
      'event_quota_exceeded',
      'dlq_quota_exceeded',
      'not_accepted',
      'outcome_unknown',
    ],
  });
  app.post('/webhooks/:webhook_id/test', declared, async (request, reply) => {
    const { params, caller, body } = request;
    const found = await findWebhook(parts, caller, params.webhook_id);
    if (found === null) return sendProblem(reply, unknownWebhook(params.webhook_id));
    if (found.state === 'disabled') return sendProblem(reply, disabledWebhook(found));
    const event = toEvent(parts, found, body);
    const accepted = await acceptTest(parts, caller, found, event);
    if (isProblem(accepted)) return sendProblem(reply, accepted);
    const queued = toQueued(found, accepted);
    const { event_id, delivery_id } = queued;
    const ids = { tenant_id: found.tenantId, webhook_id: found.endpointId, event_id, delivery_id };
    parts.log.info({ ...ids, key_id: actorOf(request).keyId }, 'webhook tested');
    const waitMs = found.state === 'paused' ? 0 : (body?.wait_seconds ?? MAX_WAIT_SECONDS) * 1_000;
    const attempt = await firstAttempt(parts, found, queued.delivery_id, waitMs);
    if (attempt === null) return reply.code(202).send(queued);
    return reply.send(await viewTest(parts, { found, event, queued, attempt }));
  });
}

function toEvent(parts: AppParts, found: EndpointRow, given: TestRequest): PostedEvent {
  const type = given?.event_type ?? found.eventTypes.find(isEventType) ?? DEFAULT_TYPE;
  const payload = given?.payload === undefined ? undefined : JSON.stringify(given.payload);
  return {
    tenantId: found.tenantId,
    type,
    // Who sees the webhook sees its test.
    labels: found.labels,
    occurredAt: null,
    deliverAtMs: null,
    payload: Buffer.from(payload ?? parts.catalogue.find(type)?.example ?? SAMPLE),
    payloadPointer: '/payload',
    contentType: JSON_CONTENT_TYPE,
    clientEventId: null,
  };
}

const acceptTest = (parts: AppParts, caller: Caller, { endpointId }: EndpointRow, event: PostedEvent) =>
  acceptEvent(parts, {
    caller,
    event,
    only: endpointId,
    traceparent: undefined,
    idempotencyKey: null,
    source: event.payload,
  });

function toQueued({ endpointId }: EndpointRow, accepted: AcceptedEvent): Queued {
  const { event_id, type, warnings } = accepted;
  return {
    webhook_id: endpointId,
    event_id,
    delivery_id: deriveDeliveryId(event_id, endpointId, 0),
    event_type: type,
    ...(warnings === undefined ? {} : { warnings: warnings as Warnings }),
  };
}

function firstAttempt(
  { outcomeWaits, store }: AppParts,
  { tenantId }: EndpointRow,
  deliveryId: string,
  waitMs: number,
): Promise<AttemptRow | null> {
  const look = async () => (await store.listAttempts(tenantId, deliveryId))[0] ?? null;
  return outcomeWaits.until(tenantId, look, waitMs);
}
