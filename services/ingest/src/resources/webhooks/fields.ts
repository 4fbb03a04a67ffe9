import {
  isEventTypeFilter,
  isLabelKey,
  isPlainText,
  MAX_LABELS,
  MAX_SCHEDULE_MS,
  SCHEDULE_PRESETS,
  type SchedulePreset,
} from '@posthorn/contracts';
import { MAX_URL_CHARACTERS } from '@posthorn/egress';
import { PRIVATE_KEY_PREFIX, PUBLIC_KEY_PREFIX, parseSecret } from '@posthorn/signing';
import Type from 'typebox';
import { labelFault } from '../../accept/check-fields.ts';
import { Nullable } from '../../http/validation.ts';
import { Auth, Tls } from './auth-fields.ts';
import { headersFault, MASKED_VALUE, MAX_HEADERS } from './header-rules.ts';

/** What of a webhook a request may set, field by field. */

const MAX_EVENT_TYPES = 50;
const MAX_DESCRIPTION_CHARS = 500;
const MAX_RETRIES = 20;
const MIN_ATTEMPT_TIMEOUT_MS = 100;
const MAX_ATTEMPT_TIMEOUT_MS = 60_000;
const MAX_CONCURRENCY = 10_000;
export const MAX_PER_SEC = 10_000;
const MAX_METADATA = 20;
const MAX_METADATA_VALUE_CHARS = 512;

const FILTER_RULE = 'must be an event type, "*", or a prefix such as "order.*"';
const LABELS_RULE = `must be at most ${MAX_LABELS} strings, with keys and values as of an event's labels`;
const METADATA_RULE = `must be at most ${MAX_METADATA} strings of at most ${MAX_METADATA_VALUE_CHARS} characters without control characters, with keys as of labels`;

export const urlField = (urlFault: (url: string) => string | null) =>
  Type.Refine(
    Type.String({
      maxLength: MAX_URL_CHARACTERS,
      format: 'uri',
      description: 'Where requests go, from the next attempt on: `http` or `https`, a public address.',
    }),
    (url) => url.length > MAX_URL_CHARACTERS || urlFault(url) === null,
    (url) => urlFault(url) ?? '',
  );

export const SecretField = Type.Refine(
  Type.String({
    description:
      'Signs the requests: `whsec_` and base64 of 24–64 bytes, or 16–256 characters of your own. Made for you when left out.',
  }),
  (secret) => isPlainText(secret) && !isKeyOfPair(secret) && parseSecret(secret).ok,
  (secret) => {
    if (isKeyOfPair(secret)) return 'is a key of ed25519, which is made here';
    const parsed = parseSecret(secret);
    return parsed.ok ? 'must be without control characters' : parsed.reason;
  },
);

/** As a plain secret it would sign, and never the way that it says. */
const isKeyOfPair = (secret: string): boolean =>
  secret.startsWith(PRIVATE_KEY_PREFIX) || secret.startsWith(PUBLIC_KEY_PREFIX);

const EventTypes = Type.Array(
  Type.Refine(Type.String(), isEventTypeFilter, () => FILTER_RULE),
  {
    minItems: 1,
    maxItems: MAX_EVENT_TYPES,
    description: 'Which types it gets: exact ones, `*` for all, `order.*` for a prefix. All when left out.',
  },
);
const EndpointLabels = Type.Refine(
  Type.Object(
    {},
    {
      additionalProperties: Type.String(),
      description: `It gets only events that carry all of these; at most ${MAX_LABELS}.`,
    },
  ),
  areLabels,
  () => LABELS_RULE,
);
const Description = Type.Refine(
  Type.String({ maxLength: MAX_DESCRIPTION_CHARS, description: 'For people.' }),
  isPlainText,
  () => 'must be plain text',
);
type Given = Readonly<Record<string, string>>;

const Headers = Type.Refine(
  Type.Object(
    {},
    {
      additionalProperties: Type.String(),
      description: `Sent with every request, at most ${MAX_HEADERS}. Kept sealed and always shown as \`${MASKED_VALUE}\`; where \`${MASKED_VALUE}\` is given, the stored value stays; but none goes along to another server.`,
    },
  ),
  (headers) => headersFault(headers as Given) === null,
  (headers) => headersFault(headers as Given) ?? '',
);
const Signatures = Type.Refine(
  Type.Array(Type.Enum(['v1', 'v1a']), {
    minItems: 1,
    maxItems: 2,
    description:
      'Which signatures requests carry: `v1`, by the secret; `v1a`, by an ed25519 key of which receivers get the public half alone (`public_key`). `["v1"]` when left out.',
  }),
  (schemes) => new Set(schemes).size === schemes.length,
  () => 'must name each once',
);
const Method = Type.Enum(['POST', 'PUT'], { description: 'Of the requests; `POST` when left out.' });
export const Metadata = Type.Refine(
  Type.Object(
    {},
    {
      additionalProperties: Type.String(),
      description: `Yours: kept and shown, never sent. At most ${MAX_METADATA} texts of ${MAX_METADATA_VALUE_CHARS} characters.`,
    },
  ),
  isMetadata,
  () => METADATA_RULE,
);

const presets = Object.keys(SCHEDULE_PRESETS) as SchedulePreset[];
const RetrySchedule = Type.Union(
  [
    Type.Refine(
      Type.Array(Type.Number({ minimum: 0 }), { maxItems: MAX_RETRIES }),
      (waits) => sumOf(waits) <= MAX_SCHEDULE_MS / 1_000,
      () => `must be at most ${MAX_SCHEDULE_MS / 1_000} seconds together`,
    ),
    Type.Enum(presets),
  ],
  {
    description:
      'Seconds between the attempts, at most 20 and 7 days together, or the name of a preset; `default` when left out. After the last attempt a delivery is a dead letter.',
  },
);
const AttemptTimeout = Type.Integer({
  minimum: MIN_ATTEMPT_TIMEOUT_MS,
  maximum: MAX_ATTEMPT_TIMEOUT_MS,
  description:
    'How long one request may take, in milliseconds; 15,000 when left out, unless the installation says otherwise.',
});
const MaxConcurrency = Type.Integer({
  minimum: 1,
  maximum: MAX_CONCURRENCY,
  description:
    'Requests to it under way at once; the bound of the installation when left out. Never more than the tenant may have.',
});
const MaxPerSec = Type.Integer({
  minimum: 1,
  maximum: MAX_PER_SEC,
  description: 'Requests to it that begin per second; no bound when left out.',
});
const MaxRetrySeconds = Type.Integer({
  minimum: 1,
  maximum: MAX_SCHEDULE_MS / 1_000,
  description:
    'The time budget of a delivery, in seconds: past it it is a dead letter, whatever is left of the schedule. None when left out.',
});

const Filter = Nullable(
  Type.Object(
    {},
    {
      additionalProperties: true,
      description: 'Over payload and labels, as in the guide to content filters; `null` for none.',
    },
  ),
);

const Plain = {
  event_types: Type.Optional(EventTypes),
  labels: Type.Optional(EndpointLabels),
  filter: Type.Optional(Filter),
  description: Type.Optional(Description),
  method: Type.Optional(Method),
  headers: Type.Optional(Headers),
  signatures: Type.Optional(Signatures),
  auth: Type.Optional(Nullable(Auth)),
  tls: Type.Optional(Nullable(Tls)),
  metadata: Type.Optional(Metadata),
};
export const GivenFields = {
  ...Plain,
  retry_schedule: Type.Optional(RetrySchedule),
  attempt_timeout_ms: Type.Optional(AttemptTimeout),
  max_concurrency: Type.Optional(MaxConcurrency),
  max_per_sec: Type.Optional(MaxPerSec),
  max_retry_seconds: Type.Optional(MaxRetrySeconds),
};
/** Null puts a limit back to its default. */
export const ChangeableFields = {
  ...Plain,
  retry_schedule: Type.Optional(Nullable(RetrySchedule)),
  attempt_timeout_ms: Type.Optional(Nullable(AttemptTimeout)),
  max_concurrency: Type.Optional(Nullable(MaxConcurrency)),
  max_per_sec: Type.Optional(Nullable(MaxPerSec)),
  max_retry_seconds: Type.Optional(Nullable(MaxRetrySeconds)),
};
/** Stays as it is where it is left out, also when all else is replaced. */
export const StateFields = {
  enabled: Type.Optional(
    Type.Boolean({ description: '`false` disables it: what is queued for it is cancelled.' }),
  ),
  paused: Type.Optional(
    Type.Boolean({ description: '`true` pauses it in the mode `hold`, `false` resumes it.' }),
  ),
};

const sumOf = (waits: readonly number[]): number => waits.reduce((sum, wait) => sum + wait, 0);

function areLabels(labels: object): boolean {
  const entries = Object.entries(labels);
  return entries.length <= MAX_LABELS && entries.every(([key, value]) => labelFault(key, value) === null);
}

function isMetadata(metadata: object): boolean {
  const entries = Object.entries(metadata);
  return entries.length <= MAX_METADATA && entries.every(([key, value]) => isNote(key, value));
}

const isNote = (key: string, value: unknown): boolean =>
  isLabelKey(key) &&
  typeof value === 'string' &&
  value.length <= MAX_METADATA_VALUE_CHARS &&
  isPlainText(value);
