import { hash } from 'node:crypto';
import {
  type DeliveryId,
  deriveDeliveryId,
  type EndpointId,
  type EventId,
  encodeEvent,
  mintEventId,
  routedEvent,
  tenantPartition,
} from '@posthorn/contracts';
import type { OutboundRecord, ProduceAck } from '@posthorn/kafka';
import { ProduceError } from '@posthorn/kafka';
import { type Clock, failpoint, type Logger, type Tracing, traceIdOf } from '@posthorn/runtime';
import { matchingEndpoints, type TenantConfig } from '@posthorn/tenant-config';
import { authorise, refuseReserved, type TenantLookups } from '../access/authorise.ts';
import type { Caller } from '../access/caller.ts';
import { isProblem, type Problem, type ProblemCode, problem, retryAfter } from '../http/problem.ts';
import { type AdmitParts, admitEvent } from './admit-event.ts';
import { checkType, NO_WARNINGS, type TypeCheckParts, type Warning } from './check-type.ts';
import type { AdmitOnce } from './once/admit-once.ts';
import type { PostedEvent } from './posted-event.ts';
import { type SystemStamp, systemStamp } from './system-stamp.ts';

export interface AcceptParts extends AdmitParts, TypeCheckParts {
  readonly tenants: TenantLookups;
  /** The way of events with an idempotency key or an id of their sender's. */
  readonly once: AdmitOnce;
  readonly send: (record: OutboundRecord) => Promise<ProduceAck>;
  readonly eventsTopic: string;
  readonly eventPartitions: number;
  readonly tracing: Tracing;
  readonly log: Logger;
  readonly clock: Clock;
}

export interface EventRequest {
  readonly caller: Caller;
  readonly event: PostedEvent;
  readonly traceparent: string | undefined;
  readonly idempotencyKey: string | null;
  /** The event as it was sent: whether two requests of one key are the same is judged by it. */
  readonly source: Buffer;
  /** This endpoint alone gets it, whatever it subscribes to; left out for those that match. */
  readonly only?: EndpointId;
}

export interface AcceptedEvent {
  readonly event_id: EventId;
  readonly tenant_id: string;
  readonly type: string;
  readonly webhooks_queued: number;
  /** When the first attempts are due; left out for at once. */
  readonly deliver_at?: string;
  /** What its type's rules say against it; of a type that is enforced with `warn`, deprecated or unknown. */
  readonly warnings?: readonly Warning[];
  /** All of them, or none when there are more than MAX_DELIVERY_IDS. */
  readonly delivery_ids?: readonly DeliveryId[];
}

export const MAX_DELIVERY_IDS = 100;

/** The way of an event through this service; the record is acknowledged by Kafka before anybody is told 202. */
export async function acceptEvent(
  parts: AcceptParts,
  request: EventRequest,
): Promise<AcceptedEvent | Problem> {
  const { caller, event, idempotencyKey } = request;
  const tenant = await authorise(parts.tenants, caller, event.tenantId);
  if (isProblem(tenant)) return tenant;
  const refusal = request.only === undefined ? refuseReserved(tenant.tenantId) : null;
  if (refusal) return refusal;
  return idempotencyKey === null && event.clientEventId === null
    ? acceptNew(parts, tenant, request, mintEventId(parts.clock.nowMs()))
    : acceptOnce(parts, tenant, request);
}

/** Before all that counts or refuses: a request that comes again gets its answer whatever has changed since. */
function acceptOnce(
  parts: AcceptParts,
  tenant: TenantConfig,
  request: EventRequest,
): Promise<AcceptedEvent | Problem> {
  const { event, idempotencyKey, source } = request;
  return parts.once.admit({
    tenantId: tenant.tenantId,
    names: { idempotencyKey, clientEventId: event.clientEventId },
    bodyHash: hash('sha256', source, 'buffer'),
    partition: tenantPartition(tenant.tenantId, parts.eventPartitions),
    make: (eventId, sendByMs) => acceptNew(parts, tenant, request, eventId, sendByMs),
    recall: (eventId, revision) => answerFor(tenant.tenantId, event, eventId, match(tenant, event, revision)),
  });
}

/** A test of one endpoint is nobody else's. */
const NOT_STAMPED: SystemStamp = { kind: 'stamp', revision: null };

async function acceptNew(
  parts: AcceptParts,
  tenant: TenantConfig,
  { event, traceparent, only }: EventRequest,
  eventId: EventId,
  sendByMs = Number.POSITIVE_INFINITY,
): Promise<AcceptedEvent | Problem> {
  const asked = only === undefined ? systemStamp(parts.tenants) : NOT_STAMPED;
  const system = asked instanceof Promise ? await asked : asked;
  if (system.kind === 'problem') return system;
  const refusal = admitEvent(parts, tenant);
  if (refusal) return refusal;
  const checking = only === undefined ? checkType(parts, tenant, event) : NO_WARNINGS;
  const warnings = checking instanceof Promise ? await checking : checking;
  if (isProblem(warnings)) return warnings;
  const endpointIds = only === undefined ? match(tenant, event, tenant.revision) : [only];
  const stamped = { eventId, tenant, event, system, only, traceparent: parts.tracing.begin(traceparent) };
  failpoint('before-produce');
  if (parts.clock.monotonicMs() > sendByMs) return produceProblem('not_accepted');
  const failure = await produce(parts, stamped);
  failpoint('after-produce');
  if (failure) return failure;
  logAccepted(parts.log, stamped, endpointIds.length);
  const accepted = answerFor(tenant.tenantId, event, eventId, endpointIds);
  return warnings.length === 0 ? accepted : { ...accepted, warnings };
}

const match = (tenant: TenantConfig, event: PostedEvent, revision: number): EndpointId[] =>
  matchingEndpoints(tenant, routedEvent(event, event.payload), revision);

interface StampedEvent {
  readonly eventId: EventId;
  readonly tenant: TenantConfig;
  readonly event: PostedEvent;
  readonly system: SystemStamp;
  readonly only: EndpointId | undefined;
  readonly traceparent: string;
}

async function produce(parts: AcceptParts, stamped: StampedEvent): Promise<Problem | null> {
  const { eventId, tenant, event, system, only } = stamped;
  const hop = parts.tracing.hop('accept event', stamped.traceparent, { event_id: eventId });
  let failure: ProblemCode | undefined;
  try {
    await parts.send({
      topic: parts.eventsTopic,
      partition: tenantPartition(tenant.tenantId, parts.eventPartitions),
      key: tenant.tenantId,
      value: event.payload,
      headers: encodeEvent({
        eventId,
        tenantId: tenant.tenantId,
        type: event.type,
        labels: event.labels,
        occurredAt: event.occurredAt ?? new Date(parts.clock.nowMs()).toISOString(),
        contentType: event.contentType,
        revision: tenant.revision,
        retentionDays: tenant.retentionDays,
        traceparent: hop.traceparent,
        ...(event.deliverAtMs === null ? {} : { deliverAtMs: event.deliverAtMs }),
        ...(event.clientEventId === null ? {} : { clientEventId: event.clientEventId }),
        ...(only === undefined ? {} : { only: [only] }),
        ...(system.revision === null ? {} : { systemRevision: system.revision }),
      }),
    });
    return null;
  } catch (error) {
    if (!(error instanceof ProduceError)) throw error;
    failure = error.code;
    return produceProblem(error.code);
  } finally {
    hop.end(failure);
  }
}

const PRODUCE_DETAIL = {
  not_accepted: 'Kafka did not take it: try again',
  outcome_unknown:
    'the answer of Kafka was lost: it may have been accepted. Sent again with its Idempotency-Key or event_id it is one event; without either it may become a second one',
} as const;

export const produceProblem = (code: ProduceError['code']): Problem =>
  problem(code, PRODUCE_DETAIL[code], retryAfter(1));

function logAccepted(
  log: Logger,
  { eventId, tenant, event, traceparent }: StampedEvent,
  webhooksQueued: number,
): void {
  log.info(
    {
      tenant_id: tenant.tenantId,
      event_id: eventId,
      event_type: event.type,
      webhooks_queued: webhooksQueued,
      trace_id: traceIdOf(traceparent),
    },
    'event accepted',
  );
}

function answerFor(
  tenantId: string,
  event: PostedEvent,
  eventId: EventId,
  endpointIds: readonly EndpointId[],
): AcceptedEvent {
  const accepted: AcceptedEvent = {
    event_id: eventId,
    tenant_id: tenantId,
    type: event.type,
    webhooks_queued: endpointIds.length,
    ...(event.deliverAtMs === null ? {} : { deliver_at: new Date(event.deliverAtMs).toISOString() }),
  };
  if (endpointIds.length > MAX_DELIVERY_IDS) return accepted;
  return { ...accepted, delivery_ids: endpointIds.map((id) => deriveDeliveryId(eventId, id, 0)) };
}
