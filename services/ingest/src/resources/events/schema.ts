import {
  MAX_CLIENT_EVENT_ID_CHARS,
  MAX_CONTENT_TYPE_CHARS,
  MAX_EVENT_TYPE_CHARS,
  MAX_LABEL_VALUE_CHARS,
  MAX_LABELS,
} from '@posthorn/contracts';
import Type from 'typebox';

const EVENT_ID = '019b3a5c-7d10-7c55-8a3e-2f6d1c0b9a88';
const time = (description: string) =>
  Type.String({ format: 'date-time', description, examples: ['2026-01-31T12:00:00Z'] });

/** What `POST /events` takes; it is read by hand, so that the payload's bytes stay as they are. */
export const NewEvent = Type.Object(
  {
    tenant_id: Type.Optional(
      Type.String({ description: 'Whose event it is. A tenant’s own key may leave it out.' }),
    ),
    type: Type.String({
      maxLength: MAX_EVENT_TYPE_CHARS,
      description: '1–8 parts of a–z, 0–9, `_` and `-`, joined by `.`.',
    }),
    payload: Type.Optional(
      Type.Unknown({
        description: 'Any JSON value; receivers get its bytes as they stand here. 256 KB at most.',
      }),
    ),
    payload_text: Type.Optional(
      Type.String({ description: 'In place of `payload`: a text, delivered in UTF-8.' }),
    ),
    payload_base64: Type.Optional(
      Type.String({ description: 'In place of `payload`: any bytes, in base64 with its padding.' }),
    ),
    content_type: Type.Optional(
      Type.String({
        maxLength: MAX_CONTENT_TYPE_CHARS,
        description:
          'The media type that receivers see. Left out: `application/json` for `payload`, `text/plain; charset=utf-8` for `payload_text`, `application/octet-stream` for `payload_base64`. A payload of a JSON type must be JSON.',
      }),
    ),
    labels: Type.Optional(
      Type.Record(Type.String(), Type.String({ maxLength: MAX_LABEL_VALUE_CHARS }), {
        maxProperties: MAX_LABELS,
        description: 'Webhooks may ask for labels.',
      }),
    ),
    event_id: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: MAX_CLIENT_EVENT_ID_CHARS,
        description: 'An id of your own: a second event with it is not accepted again within 24 h.',
      }),
    ),
    occurred_at: Type.Optional(time('When it happened; left out: when it is accepted.')),
    timestamp: Type.Optional(time('The same as `occurred_at`.')),
    deliver_at: Type.Optional(time('Not delivered before; 7 days ahead at most.')),
  },
  {
    title: 'NewEvent',
    additionalProperties: false,
    examples: [
      { type: 'order.created', payload: { order_id: 'ord_1', total: 4200 }, tenant_id: 'customer-123' },
      {
        type: 'report.ready',
        payload_text: 'sku;count\nA-1;3\n',
        content_type: 'text/csv',
        labels: { region: 'eu' },
        tenant_id: 'customer-123',
      },
    ],
  },
);

const attribute = (description: string) => Type.String({ minLength: 1, description });

export const CloudEvent = Type.Object(
  {
    specversion: Type.Literal('1.0'),
    type: attribute('The event’s type.'),
    source: attribute('Becomes the label `source`.'),
    id: attribute('With `source` the sender’s own id of the event: a second one is not accepted again.'),
    subject: Type.Optional(attribute('Becomes the label `subject`.')),
    time: Type.Optional(time('When it happened.')),
    datacontenttype: Type.Optional(attribute('The media type that receivers see.')),
    data: Type.Optional(
      Type.Unknown({
        description: 'A JSON value, delivered byte for byte; a text when `datacontenttype` is not JSON.',
      }),
    ),
    data_base64: Type.Optional(Type.String({ description: 'In place of `data`: any bytes.' })),
    tenant: Type.Optional(attribute('The tenant. A tenant’s own key may leave it out.')),
    deliverat: Type.Optional(time('Not delivered before.')),
  },
  {
    title: 'CloudEvent',
    description: 'CloudEvents 1.0. Every other extension becomes a label.',
    examples: [
      {
        specversion: '1.0',
        type: 'order.created',
        source: '/shop',
        id: 'ord_1',
        tenant: 'customer-123',
        data: { order_id: 'ord_1', total: 4200 },
      },
    ],
  },
);

/** What was accepted although its type’s rules say otherwise. */
export const Warning = Type.Object({
  code: Type.Enum(['event_type_unknown', 'event_type_deprecated', 'payload_invalid', 'payload_not_checked']),
  detail: Type.String(),
  errors: Type.Optional(Type.Array(Type.Object({ pointer: Type.String(), detail: Type.String() }))),
});

const accepted = {
  event_id: Type.String(),
  tenant_id: Type.String(),
  type: Type.String(),
  webhooks_queued: Type.Integer({ description: 'Webhooks that it is delivered to.' }),
  deliver_at: Type.Optional(Type.String()),
  warnings: Type.Optional(Type.Array(Warning)),
};

export const Accepted = Type.Object(
  {
    ...accepted,
    delivery_ids: Type.Optional(
      Type.Array(Type.String(), { description: 'One for each webhook; left out when there are over 100.' }),
    ),
  },
  {
    title: 'AcceptedEvent',
    description: 'Accepted: it is stored and will be delivered.',
    examples: [
      {
        event_id: EVENT_ID,
        tenant_id: 'customer-123',
        type: 'order.created',
        webhooks_queued: 1,
        delivery_ids: [`${EVENT_ID}_5c1b6e0d2f3a4b5c`],
      },
    ],
  },
);

/** A problem document in little: beside it stand the members that its code documents, such as `limit`. */
const ItemProblem = Type.Object(
  {
    code: Type.String(),
    detail: Type.String(),
    errors: Type.Optional(Type.Array(Type.Object({ pointer: Type.String(), detail: Type.String() }))),
    retry_after: Type.Optional(Type.Integer({ description: 'Seconds.' })),
  },
  { additionalProperties: true },
);

const index = Type.Integer({ description: 'Which event of the batch, from 0.' });
const AcceptedItem = Type.Object({ index, status: Type.Literal(202), ...accepted });
const RefusedItem = Type.Object({ index, status: Type.Integer(), problem: ItemProblem });

export const BatchResult = Type.Object(
  {
    accepted: Type.Integer(),
    refused: Type.Integer(),
    results: Type.Array(Type.Union([AcceptedItem, RefusedItem]), {
      description: 'One for each event, in their order.',
    }),
  },
  {
    title: 'BatchResult',
    examples: [
      {
        accepted: 1,
        refused: 1,
        results: [
          {
            index: 0,
            status: 202,
            event_id: EVENT_ID,
            tenant_id: 'customer-123',
            type: 'order.created',
            webhooks_queued: 1,
          },
          {
            index: 1,
            status: 400,
            problem: {
              code: 'invalid_request',
              detail: '1 fault',
              errors: [{ pointer: '/type', detail: 'is required' }],
            },
          },
        ],
      },
    ],
  },
);
