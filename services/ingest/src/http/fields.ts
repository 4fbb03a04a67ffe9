import {
  FAILURE_KIND,
  type FailureClass,
  isDeliveryId,
  isEndpointId,
  isEventId,
  isEventType,
  isTenantId,
  MAX_TIME_MS,
} from '@posthorn/contracts';
import type { StatusClass } from '@posthorn/db';
import Type from 'typebox';
import { TENANT_ID_RULE } from '../accept/check-fields.ts';
import { AT, DELIVERY, EVENT, TENANT, WEBHOOK } from './examples.ts';
import { timeMs } from './read-time.ts';
import { timeField } from './validation.ts';

/** What requests to several resources name: in paths, in queries and in bodies. */

const checked = (
  options: Type.TStringOptions,
  isValid: (text: string) => boolean,
  rule: string,
): Type.TString => Type.Refine(Type.String(options), isValid, () => rule);

export const tenantId = (description?: string): Type.TString =>
  checked(
    { ...(description === undefined ? {} : { description }), examples: [TENANT] },
    isTenantId,
    TENANT_ID_RULE,
  );
export const webhookId = (): Type.TString =>
  checked({ examples: [WEBHOOK] }, isEndpointId, 'must be the id of a webhook');
export const eventId = (): Type.TString =>
  checked({ examples: [EVENT] }, isEventId, 'must be the id of an event');
export const deliveryId = (): Type.TString =>
  checked({ examples: [DELIVERY] }, isDeliveryId, 'must be the id of a delivery');
export const eventType = (description?: string): Type.TString =>
  checked(
    { ...(description === undefined ? {} : { description }), examples: ['order.created'] },
    isEventType,
    'must be an event type',
  );

/** Ids in a path are not judged by a schema: one that could not be any is as absent as one that never was. */
export const TenantParams = Type.Object({ tenant_id: Type.String({ examples: [TENANT] }) });
export const WebhookParams = Type.Object({ webhook_id: Type.String({ examples: [WEBHOOK] }) });
export const EventParams = Type.Object({ event_id: Type.String({ examples: [EVENT] }) });
export const DeliveryParams = Type.Object({ delivery_id: Type.String({ examples: [DELIVERY] }) });

/** Filters of lists, under one name each wherever they are taken. */
export const tenantFilter = {
  tenant_id: Type.Optional(tenantId('An operator who names none sees those of all.')),
};
export const webhookFilter = { webhook_id: Type.Optional(webhookId()) };
export const eventFilter = { event_id: Type.Optional(eventId()) };
export const deliveryFilter = { delivery_id: Type.Optional(deliveryId()) };
export const typeFilter = { event_type: Type.Optional(eventType()) };

const STATUS_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx', 'none'] as const satisfies readonly StatusClass[];
const FAILURES = Object.keys(FAILURE_KIND) as FailureClass[];

export const failureFilter = {
  failure: Type.Optional(Type.Enum(FAILURES, { description: 'Class of the last failure.' })),
};
export const outcomeFilters = {
  status_class: Type.Optional(
    Type.Enum([...STATUS_CLASSES], { description: 'Of the last answer; `none`: there was none.' }),
  ),
  ...failureFilter,
};

export const timeFilters = {
  min_created_at: Type.Optional(timeField({ description: 'From this moment on.', examples: [AT] })),
  max_created_at: Type.Optional(
    timeField({ description: 'Up to this moment, itself included.', examples: [AT] }),
  ),
};

export interface TimeQuery {
  readonly min_created_at?: string;
  readonly max_created_at?: string;
}

/** Both ends are included, to the millisecond. */
export const timeRange = (query: TimeQuery) => ({
  minCreatedAtMs: timeMs(query.min_created_at),
  maxCreatedAtMs: timeMs(query.max_created_at),
});

/** The same for stores whose end is not included; in RFC 3339. */
export function timeSpan(query: TimeQuery): { since: string | undefined; until: string | undefined } {
  const { minCreatedAtMs, maxCreatedAtMs } = timeRange(query);
  return { since: timeText(minCreatedAtMs), until: timeText(maxCreatedAtMs && maxCreatedAtMs + 1) };
}

/** Undefined from the last moment on that there is a text for: nothing is later. */
const timeText = (ms: number | undefined): string | undefined =>
  ms === undefined || ms >= MAX_TIME_MS ? undefined : new Date(ms).toISOString();
