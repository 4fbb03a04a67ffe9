import {
  FAILURE_KIND,
  type FailureClass,
  isEndpointId,
  isEventId,
  isEventType,
  isTenantId,
} from '@posthorn/contracts';
import type { StatusClass, TimeRange } from '@posthorn/db';
import Type from 'typebox';
import { TENANT_ID_RULE } from '../../accept/check-fields.ts';
import { AT, EVENT, TENANT, WEBHOOK } from '../../http/examples.ts';
import { normaliseTime } from '../../http/read-time.ts';
import { Time } from '../../http/validation.ts';

/** Filters that the lists of the record have in common. */
const STATUS_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx', 'none'] as const satisfies readonly StatusClass[];
const FAILURES = Object.keys(FAILURE_KIND) as FailureClass[];

export const tenantFilter = {
  tenant_id: Type.Optional(
    Type.Refine(
      Type.String({ description: 'An operator who names none sees those of all.', examples: [TENANT] }),
      isTenantId,
      () => TENANT_ID_RULE,
    ),
  ),
};

export const webhookFilter = {
  webhook_id: Type.Optional(
    Type.Refine(Type.String({ examples: [WEBHOOK] }), isEndpointId, () => 'must be the id of a webhook'),
  ),
};

export const eventFilter = {
  event_id: Type.Optional(
    Type.Refine(Type.String({ examples: [EVENT] }), isEventId, () => 'must be the id of an event'),
  ),
};

export const typeFilter = {
  event_type: Type.Optional(
    Type.Refine(Type.String({ examples: ['order.created'] }), isEventType, () => 'must be an event type'),
  ),
};

export const outcomeFilters = {
  status_class: Type.Optional(
    Type.Enum([...STATUS_CLASSES], { description: 'Of the last answer; `none`: there was none.' }),
  ),
  failure: Type.Optional(Type.Enum(FAILURES, { description: 'Class of the last failure.' })),
};

export const timeFilters = {
  min_created_at: Type.Optional(Type.Intersect([Time, Type.String({ examples: [AT] })])),
  max_created_at: Type.Optional(Type.Intersect([Time, Type.String({ examples: [AT] })])),
};

const timeMs = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Date.parse(normaliseTime(text)!);

/** Both ends are included, to the millisecond. */
export const timeRange = (query: {
  readonly min_created_at?: string;
  readonly max_created_at?: string;
}): TimeRange => ({
  minCreatedAtMs: timeMs(query.min_created_at),
  maxCreatedAtMs: timeMs(query.max_created_at),
});

/** What lists of the record say of themselves. */
export const WALK =
  'Newest first. Conditions add up. A page looks through a bounded number of rows: where few of them fit it has fewer entries than `limit`, even none, and goes on at `next` until that is null.';
