import { randomUUID } from 'node:crypto';
import { type EndpointId, encodeEvent, encodeReplay, MAX_SLOTS, tenantPartition } from '@posthorn/contracts';
import type { EventPayload } from '@posthorn/db';
import { type OutboundRecord, ProduceError } from '@posthorn/kafka';
import Type, { type Static } from 'typebox';
import { produceProblem } from './accept-event.ts';
import type { AppParts } from './app.ts';
import type { Problem } from './problem.ts';

export const ReplayStarted = Type.Object({
  event_id: Type.String(),
  replay_id: Type.String(),
  webhooks_queued: Type.Integer(),
});
export type ReplayStarted = Static<typeof ReplayStarted> & { readonly kind: 'started' };

interface ReplayRequest {
  readonly tenantId: string;
  readonly event: EventPayload;
  readonly endpointIds: readonly EndpointId[];
  /** The key that asked, and the id it named: a dead letter's delivery or an event. */
  readonly actor: string;
  readonly subject: string;
}

type ReplayParts = Pick<AppParts, 'store' | 'send' | 'tracing' | 'log' | 'replayTopic' | 'journalPartitions'>;

/**
 * Asks for the event to be sent to these endpoints again, by records in the replay topic. The dispatcher decides what
 * that means for each: the next round of a dead letter, a new run of what had succeeded, a refusal of what is under
 * way; so the same request twice does no harm.
 */
export async function requestReplay(
  parts: ReplayParts,
  request: ReplayRequest,
): Promise<ReplayStarted | Problem> {
  const { tenantId, event, endpointIds, actor, subject } = request;
  const replayId = randomUUID();
  await parts.store.auditReplay(tenantId, 'replay.requested', subject, actor);
  try {
    await Promise.all(toRecords(parts, request, replayId).map((record) => parts.send(record)));
  } catch (error) {
    if (error instanceof ProduceError) return produceProblem(error.code);
    throw error;
  }
  const queued = endpointIds.length;
  parts.log.info(
    { tenant_id: tenantId, event_id: event.eventId, replay_id: replayId, webhooks_queued: queued },
    'replay requested',
  );
  return { kind: 'started', event_id: event.eventId, replay_id: replayId, webhooks_queued: queued };
}

function toRecords(
  parts: ReplayParts,
  { tenantId, event, endpointIds }: ReplayRequest,
  replayId: string,
): OutboundRecord[] {
  const headers = encodeEvent({
    eventId: event.eventId,
    tenantId,
    type: event.type,
    labels: event.labels,
    occurredAt: event.occurredAt.toISOString(),
    contentType: event.contentType,
    revision: event.revision,
    retentionDays: event.retentionDays,
    traceparent: parts.tracing.begin(undefined),
  });
  const records: OutboundRecord[] = [];
  for (let from = 0; from < endpointIds.length; from += MAX_SLOTS) {
    const slots = endpointIds.slice(from, from + MAX_SLOTS);
    records.push({
      topic: parts.replayTopic,
      partition: tenantPartition(tenantId, parts.journalPartitions),
      key: tenantId,
      value: event.payload,
      headers: { ...headers, ...encodeReplay({ slots, replayId }) },
    });
  }
  return records;
}
