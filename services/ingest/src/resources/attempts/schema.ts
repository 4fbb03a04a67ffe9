import Type from 'typebox';
import { pageQuery } from '../../http/cursor.ts';
import { ATTEMPT, DELIVERY } from '../../http/examples.ts';
import {
  deliveryFilter,
  eventFilter,
  outcomeFilters,
  tenantFilter,
  timeFilters,
  typeFilter,
  webhookFilter,
} from '../../http/fields.ts';
import { Nullable } from '../../http/validation.ts';
import { ATTEMPT_EXAMPLE, Attempt } from '../deliveries/schema.ts';
import { ShownBody } from './decode-body.ts';
import { SentRequest } from './describe-request.ts';

export const AttemptQuery = Type.Object(
  {
    ...tenantFilter,
    ...webhookFilter,
    ...eventFilter,
    ...deliveryFilter,
    ...typeFilter,
    state: Type.Optional(
      Type.Enum(['success', 'processing', 'failed'], { description: 'Where the attempt left its delivery.' }),
    ),
    ...outcomeFilters,
    ...timeFilters,
    ...pageQuery,
  },
  { additionalProperties: false },
);

export const AttemptParams = Type.Object({ attempt_id: Type.String({ examples: [ATTEMPT] }) });

const ReceivedResponse = Type.Object(
  {
    status: Nullable(Type.Integer()),
    headers: Nullable(
      Type.Record(Type.String(), Type.Union([Type.String(), Type.Array(Type.String())]), {
        description: 'Names in lower case, values that are secrets redacted. Null: none were kept.',
      }),
    ),
    body: Nullable(ShownBody.properties.body),
    body_encoding: Nullable(ShownBody.properties.body_encoding),
  },
  {
    title: 'ReceivedResponse',
    description:
      'Of a failure the first 16 KB of the body, of a success the first 1 KB. Null: there was no answer.',
  },
);

export const FullAttempt = Type.Object(
  {
    ...Attempt.properties,
    request: Nullable(SentRequest),
    response: Nullable(ReceivedResponse),
  },
  {
    title: 'FullAttempt',
    examples: [
      {
        ...ATTEMPT_EXAMPLE,
        request: {
          method: 'POST',
          url: 'https://hooks.example.com/orders',
          headers: { 'webhook-id': DELIVERY, 'webhook-signature': 'v1,[redacted]' },
          body: '{"order":7}',
          body_encoding: 'text',
          curl: "curl --request POST 'https://hooks.example.com/orders'",
        },
        response: {
          status: 503,
          headers: { 'content-type': 'text/plain' },
          body: 'try again later',
          body_encoding: 'text',
        },
      },
    ],
  },
);
