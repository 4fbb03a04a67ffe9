import { type DeadLetterReason, normaliseTime } from '@posthorn/contracts';
import type { DeadLetterRow } from '@posthorn/db';
import Type, { type Static } from 'typebox';
import { AT, DELIVERY, EVENT, TENANT, WEBHOOK } from '../../http/examples.ts';
import {
  failureFilter,
  tenantFilter,
  timeFilters,
  timeSpan,
  typeFilter,
  webhookFilter,
} from '../../http/fields.ts';
import { integerText, Nullable, timeField } from '../../http/validation.ts';
import { ReplayStarted } from '../events/request-replay.ts';

export const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1_000;
const MAX_OFFSET = 1_000_000;

const REASONS = [
  'attempts_exhausted',
  'time_exhausted',
  'circuit_open',
  'endpoint_gone',
  'invalid_endpoint',
] as const satisfies readonly DeadLetterReason[];

/** Which dead letters are meant, whether they are listed or retried. */
export const DeadLetterFilters = {
  ...tenantFilter,
  ...webhookFilter,
  ...typeFilter,
  ...timeFilters,
  since: Type.Optional(
    timeField({ description: 'The earlier name of `min_created_at`; not used where that is given.' }),
  ),
  until: Type.Optional(
    timeField({
      description: 'Up to this moment, itself not included. Not used where `max_created_at` is given.',
    }),
  ),
  reason: Type.Optional(Type.Enum([...REASONS], { description: 'Why it is not tried again by itself.' })),
};

export const DeadLetterQuery = Type.Object(
  {
    ...DeadLetterFilters,
    ...failureFilter,
    limit: Type.Optional(integerText(1, MAX_LIMIT, { examples: ['10'] })),
    offset: Type.Optional(integerText(0, MAX_OFFSET)),
  },
  { additionalProperties: false },
);

const DEAD_LETTER = {
  delivery_id: DELIVERY,
  tenant_id: TENANT,
  webhook_id: WEBHOOK,
  event_id: EVENT,
  event_type: 'order.created',
  reason: 'attempts_exhausted',
  last_error: 'HTTP 500',
  last_status: 500,
  last_failure: 'http_5xx',
  attempts: 6,
  created_at: AT,
};

export const DeadLetter = Type.Object(
  {
    delivery_id: Type.String(),
    tenant_id: Type.String(),
    webhook_id: Type.String(),
    event_id: Type.String(),
    event_type: Type.String(),
    reason: Type.String(),
    last_error: Type.String(),
    last_status: Nullable(Type.Integer()),
    last_failure: Type.String(),
    attempts: Type.Integer({ description: 'Requests that were made in its last round.' }),
    created_at: Type.String({ description: 'When it became a dead letter.' }),
  },
  { title: 'DeadLetter', examples: [DEAD_LETTER] },
);

export const DeadLetterPage = Type.Object(
  {
    entries: Type.Array(DeadLetter),
    total: Type.Integer(),
    limit: Type.Integer(),
    offset: Type.Integer(),
    next: Nullable(Type.String({ description: 'The path of the next page.' })),
  },
  {
    title: 'DeadLetterPage',
    description: 'Newest first.',
    examples: [
      { entries: [DEAD_LETTER], total: 11, limit: 10, offset: 0, next: '/v1/dlq?limit=10&offset=10' },
    ],
  },
);

export const DeadLetterCounts = Type.Object(
  {
    data: Type.Array(Type.Object({ tenant_id: Type.String(), count: Type.Integer() })),
    total: Type.Integer(),
  },
  {
    title: 'DeadLetterCounts',
    description: 'The tenants with most dead letters first.',
    examples: [{ data: [{ tenant_id: TENANT, count: 11 }], total: 11 }],
  },
);

export const DeadLetterRetried = Type.Object(
  { delivery_id: Type.String(), webhook_id: Type.String(), ...ReplayStarted.properties },
  {
    title: 'DeadLetterRetried',
    examples: [
      {
        delivery_id: DELIVERY,
        webhook_id: WEBHOOK,
        event_id: EVENT,
        replay_id: '4f7e1c1a-6f1a-4a30-8d35-5a1d0a0c7d11',
        webhooks_queued: 1,
      },
    ],
  },
);

export const DeadLetterRemoved = Type.Object(
  { delivery_id: Type.String() },
  { title: 'DeadLetterRemoved', examples: [{ delivery_id: DELIVERY }] },
);

/** In what time they became dead letters; under the names that all lists have, or those that this one had first. */
export function spanOf(
  given: {
    readonly [name in 'min_created_at' | 'max_created_at' | 'since' | 'until']?: string;
  },
): { readonly since: string | undefined; readonly until: string | undefined } {
  const { since, until } = timeSpan(given);
  return {
    since: since ?? normaliseTime(given.since) ?? undefined,
    until: until ?? normaliseTime(given.until) ?? undefined,
  };
}

export function viewDeadLetter(row: DeadLetterRow): Static<typeof DeadLetter> {
  return {
    delivery_id: row.deliveryId,
    tenant_id: row.tenantId,
    webhook_id: row.endpointId,
    event_id: row.eventId,
    event_type: row.eventType,
    reason: row.reason,
    last_error: row.lastError,
    last_status: row.lastStatus,
    last_failure: row.lastFailure,
    attempts: row.attempts,
    created_at: row.failedAt.toISOString(),
  };
}
