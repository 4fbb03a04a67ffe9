import { type Dimension, GRAINS, latencyPercentiles, type RollupGroup } from '@posthorn/db';
import Type, { type Static } from 'typebox';
import { AT, LATER, TENANT, WEBHOOK } from '../../http/examples.ts';
import { outcomeFilters, tenantFilter, typeFilter, webhookFilter } from '../../http/fields.ts';
import { integerText, Nullable, timeField } from '../../http/validation.ts';

export const DEFAULT_GROUPS = 1_000;
export const MAX_GROUPS = 10_000;
const MAX_GROUP_BY_CHARS = 64;

/** `webhook` outside, where the code says endpoint. */
export const DIMENSION_OF = {
  tenant: 'tenant',
  webhook: 'endpoint',
  event_type: 'event_type',
  status_class: 'status_class',
  failure: 'failure',
} as const satisfies Record<string, Dimension>;
export type ShownDimension = keyof typeof DIMENSION_OF;
const SHOWN = Object.keys(DIMENSION_OF) as ShownDimension[];

export function readDimensions(text: string | undefined): ShownDimension[] | null {
  if (text === undefined) return [];
  const parts = text.split(',').map((part) => part.trim());
  const known = parts.every((part): part is ShownDimension => (SHOWN as string[]).includes(part));
  return known && new Set(parts).size === parts.length ? (parts as ShownDimension[]) : null;
}

export const MetricsQuery = Type.Object(
  {
    ...tenantFilter,
    ...webhookFilter,
    ...typeFilter,
    ...outcomeFilters,
    from: Type.Optional(timeField({ description: 'A day before `to` when left out.', examples: [AT] })),
    to: Type.Optional(timeField({ description: 'Now when left out.', examples: [LATER] })),
    granularity: Type.Optional(
      Type.Enum([...GRAINS, 'total'], {
        description:
          'Minutes are kept for 2 days, hours for 32, days for 800. When left out: minutes up to 6 hours, hours up to 14 days, else days. Webhooks by event type are counted by `day` alone.',
      }),
    ),
    group_by: Type.Optional(
      Type.Refine(
        Type.String({
          maxLength: MAX_GROUP_BY_CHARS,
          description: `Any of ${SHOWN.map((each) => `\`${each}\``).join(', ')}, with commas between.`,
          examples: ['event_type,status_class'],
        }),
        (text) => readDimensions(text) !== null,
        () => `must be some of ${SHOWN.join(', ')}, each once, with commas between`,
      ),
    ),
    limit: Type.Optional(integerText(1, MAX_GROUPS, { description: 'Most entries.', examples: ['1000'] })),
  },
  { additionalProperties: false },
);

const NullableText = Nullable(Type.String());
const Rate = Nullable(Type.Number({ description: 'From 0 to 1; null where there was no attempt.' }));
const Latency = Nullable(
  Type.Object(
    { p50: Type.Integer(), p95: Type.Integer(), p99: Type.Integer() },
    {
      title: 'LatencyPercentiles',
      description: 'Of attempts, in milliseconds, by buckets: within a third of the truth.',
    },
  ),
);

/** What can be measured, each with its schema. */
export const MEASURES = {
  events: Nullable(Type.Integer({ description: 'Accepted. Null of a webhook: events have none.' })),
  deliveries: Type.Integer({ description: 'Begun.' }),
  attempts: Type.Integer(),
  succeeded: Type.Integer({ description: 'Attempts that did.' }),
  success_rate: Rate,
  error_rate: Rate,
  latency_ms: Latency,
  dead_letters: Type.Integer(),
};
export type Measure = keyof typeof MEASURES;

const DIMENSION_FIELDS = {
  bucket: Type.Optional(Type.String({ description: 'When it begins.' })),
  tenant_id: Type.Optional(Type.String()),
  webhook_id: Type.Optional(Type.String()),
  event_type: Type.Optional(Type.String()),
  status_class: Type.Optional(NullableText),
  failure: Type.Optional(NullableText),
};

const EXAMPLES: Record<Measure, unknown> = {
  events: 120,
  deliveries: 340,
  attempts: 352,
  succeeded: 338,
  success_rate: 0.9602,
  error_rate: 0.0398,
  latency_ms: { p50: 43, p95: 180, p99: 410 },
  dead_letters: 1,
};

/** The answer of one of the routes: what it measures. */
export function metricsAnswer(title: string, measures: readonly Measure[]) {
  const pick = <T>(from: Readonly<Record<Measure, T>>) =>
    Object.fromEntries(measures.map((measure) => [measure, from[measure]]));
  const entry = Type.Object(
    { ...DIMENSION_FIELDS, ...pick<Type.TSchema>(MEASURES) },
    { title: `${title}Entry` },
  );
  return Type.Object(
    {
      from: Type.String(),
      to: Type.String(),
      granularity: Type.Enum([...GRAINS, 'total']),
      data: Type.Array(entry),
      truncated: Type.Boolean({ description: 'There are more entries than `limit`.' }),
    },
    {
      title,
      description:
        'In the order of time, then of what it is grouped by. Left out is what was not counted at all.',
      examples: [
        {
          from: AT,
          to: LATER,
          granularity: 'hour',
          data: [{ bucket: AT, tenant_id: TENANT, webhook_id: WEBHOOK, ...pick(EXAMPLES) }],
          truncated: false,
        },
      ],
    },
  );
}

export type MetricsEntry = Record<string, unknown>;

export function viewGroup(
  group: RollupGroup,
  measures: readonly Measure[],
  { countsEvents }: { readonly countsEvents: boolean },
): MetricsEntry {
  const { attempts, succeeded } = group;
  const latency = latencyPercentiles(group.latency);
  const rate = attempts === 0 ? null : rounded(succeeded / attempts);
  const values: Record<Measure, unknown> = {
    events: countsEvents ? group.events : null,
    deliveries: group.deliveries,
    attempts,
    succeeded,
    success_rate: rate,
    error_rate: rate === null ? null : rounded(1 - rate),
    latency_ms: latency.p50 === null ? null : latency,
    dead_letters: group.deadLetters,
  };
  return {
    ...(group.bucket === null ? {} : { bucket: group.bucket.toISOString() }),
    ...(group.tenant === undefined ? {} : { tenant_id: group.tenant }),
    ...(group.endpoint === undefined ? {} : { webhook_id: group.endpoint }),
    ...(group.eventType === undefined ? {} : { event_type: group.eventType }),
    ...(group.statusClass === undefined ? {} : { status_class: group.statusClass || null }),
    ...(group.failure === undefined ? {} : { failure: group.failure || null }),
    ...Object.fromEntries(measures.map((measure) => [measure, values[measure]])),
  };
}

const rounded = (share: number): number => Math.round(share * 10_000) / 10_000;

export type MetricsQueryText = Static<typeof MetricsQuery>;
