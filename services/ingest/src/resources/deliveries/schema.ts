import type { AttemptSummary, DeliveryRow } from '@posthorn/db';
import Type, { type Static } from 'typebox';
import { pageOf, pageQuery } from '../../http/cursor.ts';
import { AT, ATTEMPT, DELIVERY, EVENT, LATER, TENANT, WEBHOOK } from '../../http/examples.ts';
import {
  eventFilter,
  outcomeFilters,
  tenantFilter,
  timeFilters,
  typeFilter,
  webhookFilter,
} from '../../http/fields.ts';
import { Nullable } from '../../http/validation.ts';

const NullableText = Nullable(Type.String());
const NullableInteger = Nullable(Type.Integer());
const STATES = ['scheduled', 'pending', 'processing', 'success', 'failed', 'cancelled'] as const;

export const stateFilter = { state: Type.Optional(Type.Enum([...STATES])) };

export const DeliveryQuery = Type.Object(
  {
    ...tenantFilter,
    ...webhookFilter,
    ...eventFilter,
    ...typeFilter,
    ...stateFilter,
    ...outcomeFilters,
    ...timeFilters,
    ...pageQuery,
  },
  { additionalProperties: false },
);

const DELIVERY_EXAMPLE = {
  delivery_id: DELIVERY,
  tenant_id: TENANT,
  event_id: EVENT,
  webhook_id: WEBHOOK,
  event_type: 'order.created',
  state: 'processing',
  run: 0,
  round: 0,
  attempt: 1,
  next_due_at: LATER,
  last_status: 503,
  last_failure: 'http_5xx',
  last_error: 'HTTP 503',
  created_at: AT,
  updated_at: AT,
} as const;

export const Delivery = Type.Object(
  {
    delivery_id: Type.String(),
    tenant_id: Type.String(),
    event_id: Type.String(),
    webhook_id: Type.String(),
    event_type: Type.String(),
    state: Type.Enum([...STATES]),
    run: Type.Integer({ description: 'Replays of what had succeeded or was cancelled, 0 at first.' }),
    round: Type.Integer({ description: 'Replays as a dead letter within the run.' }),
    attempt: Type.Integer({ description: 'Of the last request within the round; 0: none was made.' }),
    next_due_at: NullableText,
    last_status: NullableInteger,
    last_failure: NullableText,
    last_error: NullableText,
    created_at: Type.String({ description: 'When the event was accepted.' }),
    updated_at: Type.String(),
  },
  { title: 'Delivery', examples: [DELIVERY_EXAMPLE] },
);
export const DeliveryPage = pageOf(Delivery, 'DeliveryPage', DELIVERY_EXAMPLE);

/** An attempt as lists show it. */
const ATTEMPT_FIELDS = {
  attempt_id: Type.String(),
  delivery_id: Type.String(),
  tenant_id: Type.String(),
  event_id: Type.String(),
  webhook_id: Type.String(),
  event_type: NullableText,
  run: Type.Integer(),
  round: Type.Integer(),
  attempt: Type.Integer({ description: 'Within its round, from 1.' }),
  state: Type.Enum(['success', 'processing', 'failed'], { description: 'Where it left the delivery.' }),
  status: NullableInteger,
  failure: NullableText,
  error: NullableText,
  started_at: Type.String(),
  duration_ms: Type.Integer(),
  timing: Type.Object(
    {
      dns_ms: NullableInteger,
      connect_ms: NullableInteger,
      tls_ms: NullableInteger,
      first_byte_ms: NullableInteger,
      total_ms: Type.Integer(),
    },
    {
      title: 'AttemptTiming',
      description:
        'Phases are null where the request did not pass through them: a connection was there already.',
    },
  ),
  trace_id: Type.String(),
};

export const ATTEMPT_EXAMPLE = {
  attempt_id: ATTEMPT,
  delivery_id: DELIVERY,
  tenant_id: TENANT,
  event_id: EVENT,
  webhook_id: WEBHOOK,
  event_type: 'order.created',
  run: 0,
  round: 0,
  attempt: 1,
  state: 'processing' as const,
  status: 503,
  failure: 'http_5xx',
  error: 'HTTP 503',
  started_at: AT,
  duration_ms: 41,
  timing: { dns_ms: 2, connect_ms: 9, tls_ms: 14, first_byte_ms: 15, total_ms: 41 },
  trace_id: '0af7651916cd43dd8448eb211c80319c',
};

export const Attempt = Type.Object(ATTEMPT_FIELDS, { title: 'Attempt', examples: [ATTEMPT_EXAMPLE] });
export const AttemptPage = pageOf(Attempt, 'AttemptPage', ATTEMPT_EXAMPLE);

/** Null once it waits for nothing. */
export const Waiting = Type.Object(
  {
    next_due_at: NullableText,
    tier: Nullable(
      Type.String({
        description: 'The retry tier that holds it now. Null: it is due, or was not tried yet.',
      }),
    ),
    overflow_records: Type.Integer({
      description: "The tenant's records that were moved aside because it has more queued than fits.",
    }),
    in_flight: Type.Integer({ description: 'Deliveries of the tenant that are being made.' }),
    queued: Type.Integer({ description: 'Deliveries of the tenant that workers hold.' }),
    circuit: Type.Object({
      open: Type.Boolean({ description: 'The webhook fails so often that its deliveries are held back.' }),
      next_probe_at: NullableText,
    }),
    webhook_state: NullableText,
  },
  { title: 'Waiting', description: 'Where a delivery that is not settled is now, a second or two old.' },
);

export const DeliveryWithAttempts = Type.Object(
  { ...Delivery.properties, waiting: Nullable(Waiting), attempts: Type.Array(Attempt) },
  {
    title: 'DeliveryWithAttempts',
    examples: [
      {
        ...DELIVERY_EXAMPLE,
        waiting: {
          next_due_at: LATER,
          tier: '64s',
          overflow_records: 0,
          in_flight: 3,
          queued: 12,
          circuit: { open: false, next_probe_at: null },
          webhook_state: 'active',
        },
        attempts: [ATTEMPT_EXAMPLE],
      },
    ],
  },
);

export function viewDelivery(row: DeliveryRow): Static<typeof Delivery> {
  return {
    delivery_id: row.deliveryId,
    tenant_id: row.tenantId,
    event_id: row.eventId,
    webhook_id: row.endpointId,
    event_type: row.eventType,
    state: row.state,
    run: row.run,
    round: row.round,
    attempt: row.attempt,
    next_due_at: row.nextDueAt?.toISOString() ?? null,
    last_status: row.lastStatus,
    last_failure: row.lastFailure,
    last_error: row.lastError,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

export function viewAttempt(row: AttemptSummary): Static<typeof Attempt> {
  return {
    attempt_id: row.attemptId,
    delivery_id: row.deliveryId,
    tenant_id: row.tenantId,
    event_id: row.eventId,
    webhook_id: row.endpointId,
    event_type: row.eventType,
    run: row.run,
    round: row.round,
    attempt: row.attempt,
    state: row.state,
    status: row.status,
    failure: row.failure,
    error: row.error,
    started_at: row.startedAt.toISOString(),
    duration_ms: row.durationMs,
    timing: {
      dns_ms: row.dnsMs,
      connect_ms: row.connectMs,
      tls_ms: row.tlsMs,
      first_byte_ms: row.firstByteMs,
      total_ms: row.durationMs,
    },
    trace_id: row.traceId,
  };
}
