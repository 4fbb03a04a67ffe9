import type { EventPayload, FoundEvent } from '@posthorn/db';
import Type, { type Static } from 'typebox';
import { pageOf, pageQuery } from '../../http/cursor.ts';
import { AT, EVENT, TENANT } from '../../http/examples.ts';
import { tenantFilter, timeFilters, typeFilter, webhookFilter } from '../../http/fields.ts';
import { LabelText } from '../../http/read-label.ts';
import { Nullable } from '../../http/validation.ts';
import { Delivery, stateFilter } from '../deliveries/schema.ts';
import { payloadMember } from './view-payload.ts';

const EVENT_EXAMPLE = {
  event_id: EVENT,
  client_event_id: null,
  tenant_id: TENANT,
  type: 'order.created',
  labels: { region: 'eu' },
  content_type: 'application/json',
  occurred_at: AT,
  accepted_at: AT,
  payload_expunged_at: null,
};

export const Event = Type.Object(
  {
    event_id: Type.String(),
    client_event_id: Nullable(Type.String({ description: "The sender's own id of it." })),
    tenant_id: Type.String(),
    type: Type.String(),
    labels: Type.Record(Type.String(), Type.String()),
    content_type: Type.String(),
    occurred_at: Type.String(),
    accepted_at: Type.String(),
    payload_expunged_at: Nullable(Type.String({ description: 'Since when the payload is gone by request.' })),
  },
  { title: 'Event', examples: [EVENT_EXAMPLE] },
);
export const EventPage = pageOf(Event, 'EventPage', EVENT_EXAMPLE);

export const EventWithDeliveries = Type.Object(
  {
    ...Event.properties,
    payload: Type.Optional(Type.Unknown({ description: 'Of a JSON payload: its own bytes.' })),
    payload_text: Type.Optional(Type.String()),
    payload_base64: Type.Optional(Type.String()),
    deliveries: Type.Array(Delivery),
  },
  { title: 'EventWithDeliveries', examples: [{ ...EVENT_EXAMPLE, payload: { order: 7 }, deliveries: [] }] },
);

const MAX_CLIENT_ID_CHARS = 600;

export const EventQuery = Type.Object(
  {
    ...tenantFilter,
    ...typeFilter,
    label: Type.Optional(LabelText),
    client_event_id: Type.Optional(
      Type.String({ maxLength: MAX_CLIENT_ID_CHARS, pattern: '^[^\\u0000]*$', examples: ['order-7'] }),
    ),
    state: Type.Optional(
      Type.Enum(stateFilter.state.enum, { description: 'Events that have a delivery in this state.' }),
    ),
    ...webhookFilter,
    ...timeFilters,
    ...pageQuery,
  },
  { additionalProperties: false },
);

export function viewEvent(event: FoundEvent): Static<typeof Event> {
  return {
    event_id: event.eventId,
    client_event_id: event.clientEventId,
    tenant_id: event.tenantId,
    type: event.type,
    labels: event.labels,
    content_type: event.contentType,
    occurred_at: event.occurredAt.toISOString(),
    accepted_at: event.acceptedAt.toISOString(),
    payload_expunged_at: event.payloadExpungedAt?.toISOString() ?? null,
  };
}

/** Text, for the payload's own bytes stand in it. */
export function renderEvent(
  tenantId: string,
  event: EventPayload,
  deliveries: readonly Static<typeof Delivery>[],
): string {
  const head = JSON.stringify(viewEvent({ ...event, tenantId })).slice(0, -1);
  const payload =
    event.payloadExpungedAt === null ? `,${payloadMember(event.contentType, event.payload)}` : '';
  return `${head}${payload},"deliveries":${JSON.stringify(deliveries)}}`;
}
