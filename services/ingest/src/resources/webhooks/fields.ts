import {
  isEventTypeFilter,
  type Labels,
  MAX_LABELS,
  MAX_SCHEDULE_MS,
  SCHEDULE_PRESETS,
  type SchedulePreset,
} from '@posthorn/contracts';
import type { EndpointChanges, EndpointRow, NewEndpoint } from '@posthorn/db';
import { MAX_URL_CHARACTERS } from '@posthorn/egress';
import Type, { type Static } from 'typebox';
import { isPlainText, labelFault } from '../../accept/parse-event.ts';
import { Nullable } from '../../http/validation.ts';

/** What of a webhook a request may set, and how a webhook is shown. */

const MAX_EVENT_TYPES = 50;
const MAX_DESCRIPTION_CHARS = 500;
const MAX_RETRIES = 20;
const MIN_ATTEMPT_TIMEOUT_MS = 100;
const MAX_ATTEMPT_TIMEOUT_MS = 60_000;
const MAX_CONCURRENCY = 10_000;
const MAX_PER_SEC = 10_000;

const FILTER_RULE = 'must be an event type, "*", or a prefix such as "order.*"';
const LABELS_RULE = `must be at most ${MAX_LABELS} strings, with keys and values as of an event's labels`;

export const urlField = (urlFault: (url: string) => string | null) =>
  Type.Refine(
    Type.String({ maxLength: MAX_URL_CHARACTERS }),
    (url) => url.length > MAX_URL_CHARACTERS || urlFault(url) === null,
    (url) => urlFault(url) ?? '',
  );

const EventTypes = Type.Array(
  Type.Refine(Type.String(), isEventTypeFilter, () => FILTER_RULE),
  { minItems: 1, maxItems: MAX_EVENT_TYPES },
);
const EndpointLabels = Type.Refine(
  Type.Object({}, { additionalProperties: Type.String() }),
  areLabels,
  () => LABELS_RULE,
);
const Description = Type.Refine(
  Type.String({ maxLength: MAX_DESCRIPTION_CHARS }),
  isPlainText,
  () => 'must be plain text',
);

const presets = Object.keys(SCHEDULE_PRESETS) as SchedulePreset[];
/** Seconds between the attempts, or the name of a preset. */
const RetrySchedule = Type.Union([
  Type.Refine(
    Type.Array(Type.Number({ minimum: 0 }), { maxItems: MAX_RETRIES }),
    (waits) => sumOf(waits) <= MAX_SCHEDULE_MS / 1_000,
    () => `must be at most ${MAX_SCHEDULE_MS / 1_000} seconds together`,
  ),
  Type.Enum(presets),
]);
const AttemptTimeout = Type.Integer({ minimum: MIN_ATTEMPT_TIMEOUT_MS, maximum: MAX_ATTEMPT_TIMEOUT_MS });
const MaxConcurrency = Type.Integer({ minimum: 1, maximum: MAX_CONCURRENCY });
const MaxPerSec = Type.Integer({ minimum: 1, maximum: MAX_PER_SEC });
const MaxRetrySeconds = Type.Integer({ minimum: 1, maximum: MAX_SCHEDULE_MS / 1_000 });

const Subscription = {
  event_types: Type.Optional(EventTypes),
  labels: Type.Optional(EndpointLabels),
  description: Type.Optional(Description),
};
export const GivenFields = {
  ...Subscription,
  retry_schedule: Type.Optional(RetrySchedule),
  attempt_timeout_ms: Type.Optional(AttemptTimeout),
  max_concurrency: Type.Optional(MaxConcurrency),
  max_per_sec: Type.Optional(MaxPerSec),
  max_retry_seconds: Type.Optional(MaxRetrySeconds),
};
/** Null puts a limit back to its default. */
export const ChangeableFields = {
  ...Subscription,
  retry_schedule: Type.Optional(Nullable(RetrySchedule)),
  attempt_timeout_ms: Type.Optional(Nullable(AttemptTimeout)),
  max_concurrency: Type.Optional(Nullable(MaxConcurrency)),
  max_per_sec: Type.Optional(Nullable(MaxPerSec)),
  max_retry_seconds: Type.Optional(Nullable(MaxRetrySeconds)),
};
const Changeable = Type.Object({ url: Type.Optional(Type.String()), ...ChangeableFields });

const sumOf = (waits: readonly number[]): number => waits.reduce((sum, wait) => sum + wait, 0);

function areLabels(labels: object): boolean {
  const entries = Object.entries(labels);
  return entries.length <= MAX_LABELS && entries.every(([key, value]) => labelFault(key, value) === null);
}

/** Null is the schedule of the installation (`RETRY_SCHEDULE`), which the preset `default` stands for. */
function toScheduleMs(given: Static<typeof RetrySchedule> | null | undefined): readonly number[] | null {
  if (given === undefined || given === null || given === 'default') return null;
  if (typeof given === 'string') return SCHEDULE_PRESETS[given];
  return given.map((seconds) => Math.round(seconds * 1_000));
}

const toMs = (seconds: number | null | undefined): number | null =>
  seconds === undefined || seconds === null ? null : seconds * 1_000;

/** Only what was given: the rest stays as it is. */
export function toChanges(body: Static<typeof Changeable>): EndpointChanges {
  const changes: Record<string, unknown> = {};
  const set = <T>(name: keyof EndpointChanges, given: T | undefined, value: (given: T) => unknown): void => {
    if (given !== undefined) changes[name] = value(given);
  };
  const same = (given: unknown): unknown => given;
  set('url', body.url, same);
  set('eventTypes', body.event_types, same);
  set('labels', body.labels as Labels | undefined, (labels) => ({ ...labels }));
  set('description', body.description, same);
  set('retryScheduleMs', body.retry_schedule, toScheduleMs);
  set('attemptTimeoutMs', body.attempt_timeout_ms, same);
  set('maxConcurrency', body.max_concurrency, same);
  set('maxPerSec', body.max_per_sec, same);
  set('maxRetryMs', body.max_retry_seconds, toMs);
  return changes;
}

type ShownEndpoint = Omit<EndpointRow, 'eventTypes' | 'labels' | 'retryScheduleMs'> &
  Pick<NewEndpoint, 'eventTypes' | 'labels' | 'retryScheduleMs'>;

const NullableInteger = Nullable(Type.Integer());

export const Webhook = Type.Object({
  webhook_id: Type.String(),
  tenant_id: Type.String(),
  url: Type.String(),
  event_types: Type.Array(Type.String()),
  labels: Type.Record(Type.String(), Type.String()),
  description: Type.String(),
  retry_schedule: Nullable(Type.Array(Type.Number())),
  attempt_timeout_ms: NullableInteger,
  max_concurrency: NullableInteger,
  max_per_sec: NullableInteger,
  max_retry_seconds: NullableInteger,
  state: Type.String(),
  state_reason: Nullable(Type.String()),
  pause_mode: Nullable(Type.String()),
  created_at: Type.String(),
  updated_at: Type.String(),
});

export function viewWebhook(row: ShownEndpoint): Static<typeof Webhook> {
  return {
    webhook_id: row.endpointId,
    tenant_id: row.tenantId,
    url: row.url,
    event_types: [...row.eventTypes],
    labels: row.labels,
    description: row.description,
    retry_schedule: row.retryScheduleMs?.map((ms) => ms / 1_000) ?? null,
    attempt_timeout_ms: row.attemptTimeoutMs,
    max_concurrency: row.maxConcurrency,
    max_per_sec: row.maxPerSec,
    max_retry_seconds: row.maxRetryMs === null ? null : row.maxRetryMs / 1_000,
    state: row.state,
    state_reason: row.stateReason,
    pause_mode: row.pauseMode,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
