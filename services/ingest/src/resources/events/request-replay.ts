import { randomUUID } from 'node:crypto';
import { buildReplay, type EndpointId, MAX_SLOTS } from '@posthorn/contracts';
import type { EventPayload } from '@posthorn/db';
import { type OutboundRecord, ProduceError } from '@posthorn/kafka';
import Type, { type Static } from 'typebox';
import { produceProblem } from '../../accept/accept-event.ts';
import type { Actor } from '../../access/actor.ts';
import { authorise } from '../../access/authorise.ts';
import type { Caller } from '../../access/caller.ts';
import { tellIntent } from '../../access/tell-intent.ts';
import type { AppParts } from '../../http/app.ts';
import { EVENT } from '../../http/examples.ts';
import { isProblem, type Problem } from '../../http/problem.ts';

export const ReplayStarted = Type.Object(
  {
    event_id: Type.String(),
    replay_id: Type.String(),
    webhooks_queued: Type.Integer(),
  },
  {
    title: 'ReplayStarted',
    examples: [{ event_id: EVENT, replay_id: '4f7e1c1a-6f1a-4a30-8d35-5a1d0a0c7d11', webhooks_queued: 1 }],
  },
);
export type ReplayStarted = Static<typeof ReplayStarted>;

interface ReplayRequest {
  readonly tenantId: string;
  readonly event: EventPayload;
  readonly endpointIds: readonly EndpointId[];
  /** Who asked, and the id he named: a dead letter's delivery or an event. */
  readonly caller: Caller;
  readonly actor: Actor;
  readonly subject: string;
  /** Where the one delivery must stand, so that a request that comes twice replays once. */
  readonly expect?: { readonly run: number; readonly round: number };
}

type ReplayParts = Pick<
  AppParts,
  'store' | 'tenants' | 'macKey' | 'send' | 'tracing' | 'log' | 'replayTopic' | 'journalPartitions'
>;

/**
 * Asks for the event to be sent to these endpoints again, by records in the replay topic. The dispatcher decides what
 * that means for each: the next round of a dead letter, a new run of what had succeeded, a refusal of what is under
 * way; so the same request twice does no harm.
 */
export async function requestReplay(
  parts: ReplayParts,
  request: ReplayRequest,
): Promise<ReplayStarted | Problem> {
  const { tenantId, event, endpointIds, caller, actor, subject } = request;
  const tenant = await authorise(parts.tenants, caller, tenantId);
  if (isProblem(tenant)) return tenant;
  const replayId = randomUUID();
  const detail = { replayId, eventId: event.eventId, webhookIds: endpointIds };
  const intent = { actor, tenantId, subject, detail, asked: 'replay.requested', failed: 'replay.failed' };
  const unwritten = await tellIntent(parts, intent, () =>
    sendAll(parts, toRecords(parts, request, replayId, tenant.revision)),
  );
  if (unwritten) return unwritten;
  const queued = endpointIds.length;
  parts.log.info(
    { tenant_id: tenantId, event_id: event.eventId, replay_id: replayId, webhooks_queued: queued },
    'replay requested',
  );
  return { event_id: event.eventId, replay_id: replayId, webhooks_queued: queued };
}

async function sendAll({ send }: ReplayParts, records: readonly OutboundRecord[]): Promise<Problem | null> {
  try {
    await Promise.all(records.map((record) => send(record)));
    return null;
  } catch (error) {
    if (error instanceof ProduceError) return produceProblem(error.code);
    throw error;
  }
}

function toRecords(
  parts: ReplayParts,
  { tenantId, event, endpointIds, expect }: ReplayRequest,
  replayId: string,
  revision: number,
): OutboundRecord[] {
  const { macKey, replayTopic: topic, journalPartitions: partitions } = parts;
  const asked = {
    replayId,
    // The tenant's own of now: what was cancelled before this replay was asked for does not hold for it.
    revision,
    traceparent: parts.tracing.begin(undefined),
    ...(expect ? { expect } : {}),
  };
  const records: OutboundRecord[] = [];
  for (let from = 0; from < endpointIds.length; from += MAX_SLOTS) {
    const slots = endpointIds.slice(from, from + MAX_SLOTS);
    records.push(buildReplay({ macKey, topic, partitions }, tenantId, event, { ...asked, slots }));
  }
  return records;
}
