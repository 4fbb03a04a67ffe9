import type { QuotaChanges, Quotas } from '@posthorn/db';
import Type, { type Static } from 'typebox';
import { TENANT } from '../../http/examples.ts';
import { Nullable } from '../../http/validation.ts';

const MAX_RATE = 1_000_000;
const MAX_CONCURRENT = 1_000_000;
/** What the column holds, and what the system’s own tenant has. */
const MAX_DEAD_LETTERS = 2_147_483_647;
const MAX_WEBHOOKS = 1_000_000;

const limits = {
  max_events_per_sec: Type.Integer({
    minimum: 1,
    maximum: MAX_RATE,
    description: 'Events in any second, all at once if need be. Over it `event_quota_exceeded`.',
  }),
  max_concurrent_deliveries: Type.Integer({
    minimum: 1,
    maximum: MAX_CONCURRENT,
    description: 'Requests to endpoints under way at once, over all of them; the rest waits.',
  }),
  max_dlq_size: Type.Integer({
    minimum: 0,
    maximum: MAX_DEAD_LETTERS,
    description: 'Dead letters; `dlq_policy` says what happens beyond.',
  }),
  max_webhooks: Type.Integer({
    minimum: 0,
    maximum: MAX_WEBHOOKS,
    description: 'Webhooks that are not deleted.',
  }),
};
export const Limits = Type.Object(limits, {
  title: 'Limits',
  examples: [
    { max_events_per_sec: 100, max_concurrent_deliveries: 50, max_dlq_size: 100, max_webhooks: 1_000 },
  ],
});
export const DlqPolicy = Type.Enum(['refuse', 'drop_oldest', 'warn'], {
  description:
    'With as many dead letters as the quota allows: `refuse` new events, `drop_oldest` dead letter for each new one, or only `warn`.',
});
export const RetentionDays = Type.Union([Type.Literal(7), Type.Literal(30), Type.Literal(90)], {
  description: 'How long events, deliveries, attempts and dead letters are kept. Holds for new events.',
});

/** What a request may set; a tenant's creation has the policy outside of its quotas. */
export const GivenLimits = Type.Object(Type.Partial(Type.Object(limits)).properties, {
  additionalProperties: false,
});

export const NewQuotas = Type.Object(
  {
    ...Object.fromEntries(
      Object.entries(limits).map(([name, limit]) => [name, Type.Optional(Nullable(limit))]),
    ),
    dlq_policy: Type.Optional(Nullable(DlqPolicy)),
  } as {
    [Name in keyof typeof limits]: ReturnType<typeof optionalLimit>;
  } & { dlq_policy: ReturnType<typeof optionalPolicy> },
  {
    additionalProperties: false,
    minProperties: 1,
    examples: [{ max_events_per_sec: 500, max_dlq_size: null }],
  },
);
const optionalLimit = () => Type.Optional(Nullable(Type.Integer()));
const optionalPolicy = () => Type.Optional(Nullable(DlqPolicy));

export const QuotaParams = Type.Object({ tenant: Type.String({ examples: [TENANT] }) });

const Ratio = Type.Number({ minimum: 0, description: 'Of the limit; 1 is all of it.' });

export const QuotaUse = Type.Object(
  {
    tenant_id: Type.String(),
    plan: Nullable(Type.String({ description: 'Null while Postgres is away. So for the overrides.' })),
    limits: Limits,
    dlq_policy: DlqPolicy,
    overrides: Nullable(
      Type.Array(Type.String(), { description: 'What is the tenant’s own; all else is its plan’s.' }),
    ),
    current_usage: Type.Object({
      events_sent: Type.Integer({ description: 'Accepted in the last second, over all replicas.' }),
      events_last_minute: Type.Integer(),
      concurrent_deliveries: Nullable(
        Type.Integer({ description: 'At most 2 s old; null while Postgres is away.' }),
      ),
      dlq_count: Type.Integer(),
      webhooks: Type.Integer(),
    }),
    remaining: Type.Object({
      events: Type.Integer(),
      deliveries: Nullable(Type.Integer()),
      dlq: Type.Integer(),
    }),
    utilisation: Type.Object({
      events: Ratio,
      deliveries: Nullable(Ratio),
      dlq: Ratio,
      webhooks: Ratio,
    }),
    queued_deliveries: Nullable(
      Type.Integer({ description: 'Taken up by workers and waiting for a slot, a second or two old.' }),
    ),
  },
  {
    title: 'QuotaUse',
    examples: [
      {
        tenant_id: TENANT,
        plan: 'team',
        limits: {
          max_events_per_sec: 500,
          max_concurrent_deliveries: 50,
          max_dlq_size: 100,
          max_webhooks: 1_000,
        },
        dlq_policy: 'refuse',
        overrides: ['max_events_per_sec'],
        current_usage: {
          events_sent: 120,
          events_last_minute: 6_800,
          concurrent_deliveries: 20,
          dlq_count: 5,
          webhooks: 3,
        },
        remaining: { events: 380, deliveries: 30, dlq: 95 },
        utilisation: { events: 0.24, deliveries: 0.4, dlq: 0.05, webhooks: 0.003 },
        queued_deliveries: 0,
      },
    ],
  },
);

export function viewLimits(quotas: Quotas): Static<typeof Limits> {
  return {
    max_events_per_sec: quotas.maxEventsPerSec,
    max_concurrent_deliveries: quotas.maxConcurrentDeliveries,
    max_dlq_size: quotas.maxDlqSize,
    max_webhooks: quotas.maxWebhooks,
  };
}

/** Only what was given: the rest stays. */
export function toQuotaChanges(given: Static<typeof NewQuotas>): QuotaChanges {
  const quotas = {
    maxEventsPerSec: given.max_events_per_sec,
    maxConcurrentDeliveries: given.max_concurrent_deliveries,
    maxDlqSize: given.max_dlq_size,
    maxWebhooks: given.max_webhooks,
    dlqPolicy: given.dlq_policy,
  };
  return Object.fromEntries(Object.entries(quotas).filter(([, value]) => value !== undefined));
}

/** Of a new tenant: what is left out is its plan's. */
export const toQuotas = (given: Static<typeof GivenLimits>): Partial<Quotas> =>
  toQuotaChanges(given) as Partial<Quotas>;
