import Type from 'typebox';
import type { OperationalEvent } from './assemble.ts';

const tenant_id = Type.String({ description: 'The tenant that it is about.' });
const exampleDelivery = {
  delivery_id: '019d3c1e-7f00-7a11-8a22-0123456789ab_0123456789abcdef',
  event_id: '019d3c1e-7f00-7a11-8a22-0123456789ab',
  webhook_id: 'ep_019d3c1e7f007a118a220123456789ab',
};

/** What the operator's own webhooks may subscribe to; the recorder and ingest write them (`announce.ts`). */
export const OPERATIONAL_EVENTS: readonly OperationalEvent[] = [
  {
    type: 'posthorn.dead_letter.created',
    summary: 'A delivery became a dead letter',
    payload: Type.Object(
      {
        tenant_id,
        delivery_id: Type.String(),
        event_id: Type.String(),
        event_type: Type.String(),
        webhook_id: Type.String(),
        reason: Type.String(),
        attempts: Type.Integer(),
        failed_at: Type.String({ format: 'date-time' }),
      },
      {
        title: 'DeadLetterCreated',
        examples: [
          {
            tenant_id: 'customer-123',
            ...exampleDelivery,
            event_type: 'order.created',
            reason: 'attempts_exhausted',
            attempts: 6,
            failed_at: '2026-11-22T12:00:00.000Z',
          },
        ],
      },
    ),
  },
  {
    type: 'posthorn.endpoint.disabled',
    summary: 'A webhook was disabled by the system',
    payload: Type.Object(
      { tenant_id, webhook_id: Type.String(), reason: Type.String() },
      {
        title: 'EndpointDisabled',
        examples: [
          { tenant_id: 'customer-123', webhook_id: exampleDelivery.webhook_id, reason: 'auto_disabled' },
        ],
      },
    ),
  },
  {
    type: 'posthorn.quota.warning',
    summary: 'A tenant has used 50 % or 80 % of a quota',
    payload: Type.Object(
      {
        tenant_id,
        quota: Type.String({ description: 'The name of the quota.' }),
        percent: Type.Integer(),
        limit: Type.Integer(),
        count: Type.Integer(),
      },
      {
        title: 'QuotaWarning',
        examples: [{ tenant_id: 'customer-123', quota: 'max_dlq_size', percent: 80, limit: 100, count: 80 }],
      },
    ),
  },
];
