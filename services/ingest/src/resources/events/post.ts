import { failpoint } from '@posthorn/runtime';
import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import { type AcceptedEvent, acceptEvent } from '../../accept/accept-event.ts';
import { eventSource } from '../../accept/once/event-source.ts';
import { readIdempotencyKey } from '../../accept/once/idempotency-key.ts';
import { MAX_EVENT_REQUEST_BYTES } from '../../accept/parse-event.ts';
import { CLOUD_EVENT_TYPE, readEvent } from '../../accept/read-event.ts';
import type { App, AppParts } from '../../http/app.ts';
import { operation } from '../../http/operation.ts';
import { isProblem, type Problem, sendProblem } from '../../http/problem.ts';
import { Accepted, CloudEvent, NewEvent } from './schema.ts';

/** What it must be is said by `readIdempotencyKey`, under a code of its own. */
const Headers = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      description:
        'A name for this request, 1–255 printable ASCII characters: sent again with it within 24 hours, the same request gives the same answer and makes no second event. `event_id` does the same.',
      examples: ['order-42-created'],
    }),
  ),
});

export function postEvent(app: App, parts: AppParts): void {
  takeAsItIs(app);
  const declared = operation({
    id: 'postEvent',
    tag: 'Events',
    summary: 'Post an event',
    description: DESCRIPTION,
    access: { scope: 'ingest' },
    headers: Headers,
    bodies: { 'application/json': NewEvent, [CLOUD_EVENT_TYPE]: CloudEvent },
    bodyLimit: MAX_EVENT_REQUEST_BYTES,
    answers: { 202: Accepted },
    problems: PROBLEMS_OF_EVENT,
  });
  app.post('/events', declared, async (request, reply) => {
    const body = Buffer.isBuffer(request.body) ? request.body : NO_BODY;
    const result = await acceptPosted(parts, request, body);
    if (isProblem(result)) {
      parts.ingestMetrics.countEvent(result.code);
      return sendProblem(reply, result);
    }
    parts.ingestMetrics.countEvent('accepted');
    parts.ingestMetrics.countPayloadBytes(body.length);
    failpoint('before-202');
    failpoint('after-202', ANSWERED_MS);
    return reply.code(202).send(result as never);
  });
}

async function acceptPosted(
  parts: AppParts,
  { raw, caller, headers }: Pick<FastifyRequest, 'raw' | 'caller' | 'headers'>,
  body: Buffer,
): Promise<AcceptedEvent | Problem> {
  const idempotencyKey = readIdempotencyKey(raw);
  if (idempotencyKey !== null && typeof idempotencyKey !== 'string') return idempotencyKey;
  const event = readEvent(headers, body, { nowMs: parts.clock.nowMs(), tenantId: caller.tenantId });
  if (isProblem(event)) return event;
  const traceparent = traceparentOf(headers, event);
  return acceptEvent(parts, {
    caller,
    event,
    traceparent,
    idempotencyKey,
    source: eventSource(headers, body),
  });
}

const DESCRIPTION = `A 202 means that the event is stored safely and will be delivered to every webhook of the tenant that asks
for it. A 503 says by its code whether the event may have been accepted (\`outcome_unknown\`) or was not (\`not_accepted\`). With an
\`Idempotency-Key\` or an \`event_id\` it can be sent again until it is answered: one event comes of it.

A CloudEvent is taken in structured mode (\`${CLOUD_EVENT_TYPE}\`) and in binary mode (attributes in \`ce-*\` headers, the
body is the payload, of any type). Several events in one request go to \`/events/batch\`.`;

export const PROBLEMS_OF_EVENT = [
  'tenant_not_found',
  'tenant_reserved',
  'tenant_unavailable',
  'tenant_disabled',
  'event_quota_exceeded',
  'dlq_quota_exceeded',
  'event_type_unknown',
  'payload_invalid',
  'payload_not_checked',
  'invalid_idempotency_key',
  'idempotency_in_progress',
  'idempotency_mismatch',
  'not_accepted',
  'outcome_unknown',
] as const;

/** The parser of a scope that reads its bodies itself, of whatever media type. */
export function takeAsItIs(app: App): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
}

/** The request's own trace context counts before that of an event in it. */
export const traceparentOf = (
  headers: Readonly<Record<string, unknown>>,
  event: { readonly traceparent?: string },
): string | undefined => (headers.traceparent as string | undefined) ?? event.traceparent;

/** An answer is with its sender by then. */
const ANSWERED_MS = 20;
const NO_BODY = Buffer.alloc(0);
