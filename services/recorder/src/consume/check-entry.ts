import { isDeliveryId, isEventId, type JournalEntry } from '@posthorn/contracts';

type Check = (value: unknown) => boolean;
type Checks<Entry> = { readonly [Field in Exclude<keyof Entry, 'kind'>]-?: Check };

const MAX_COUNT = 2 ** 31 - 1;
/** The last moment that a Date can say. */
const MAX_TIME_MS = 8.64e15;

const text: Check = (value) => typeof value === 'string';
const count: Check = (value) => within(value, MAX_COUNT);
const timeMs: Check = (value) => within(value, MAX_TIME_MS);
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const revision: Check = (value) => within(value, Number.MAX_SAFE_INTEGER);
const eventId: Check = (value) => typeof value === 'string' && isEventId(value);
const deliveryId: Check = (value) => typeof value === 'string' && isDeliveryId(value);
const object =
  (check: (name: string, value: unknown) => boolean): Check =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.entries(value).every(([name, each]) => check(name, each));
const headers = object((_name, value) => text(value) || (Array.isArray(value) && value.every(text)));
const phases = object((_name, value) => value === undefined || count(value));
const oneOf =
  (...values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value);

function within(value: unknown, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

const SUBJECT = { tenantId: text, eventId, eventType: text, retentionDays: count, atMs: timeMs };
const TARGET = { deliveryId, endpointId: text, run: count, round: count };
const TENANT = { tenantId: text, atMs: timeMs };

const CHECKS: { readonly [Kind in JournalEntry['kind']]: Checks<Extract<JournalEntry, { kind: Kind }>> } = {
  dispatched: {
    ...SUBJECT,
    endpointIds: (value) => Array.isArray(value) && value.every(text),
    dueAtMs: optional(timeMs),
  },
  attempted: {
    ...SUBJECT,
    ...TARGET,
    attempt: count,
    attemptId: eventId,
    state: oneOf('success', 'processing', 'failed'),
    failure: orNull(text),
    status: orNull(count),
    error: orNull(text),
    durationMs: count,
    nextDueAtMs: orNull(timeMs),
    responseBody: orNull(text),
    traceId: text,
    responseHeaders: optional(headers),
    phases: optional(phases),
    revision: optional(revision),
    urlHash: optional(text),
  },
  dead_lettered: { ...SUBJECT, ...TARGET, attempt: count, reason: text, failure: text, error: text },
  cancelled: { ...SUBJECT, ...TARGET, attempt: count, reason: text },
  replayed: { ...SUBJECT, ...TARGET },
  dead_letter_removed: { ...TENANT, deliveryId, reason: text },
  purged: { ...TENANT, endpointId: orNull(text), eventId: orNull(eventId), revision },
  load: { ...TENANT, workerId: text, inFlight: count, queued: count, overflow: optional(count) },
  circuit: { ...TENANT, endpointId: text, workerId: text, nextProbeAtMs: orNull(timeMs) },
  lane_drained: { ...TENANT, lane: count, revision },
};

const FIELDS = new Map<unknown, readonly (readonly [string, Check])[]>(
  Object.entries(CHECKS).map(([kind, checks]) => [kind, Object.entries(checks)]),
);

/**
 * Whether an entry is of a kind that this release knows, and each of its fields is what its column takes. A field that
 * is missing, or of another type, is no error of the server's: the driver would never answer, or Postgres refuse the
 * statement for a reason that reads like its own, and the batch would be tried for ever.
 */
export function isJournalEntry(entry: unknown): entry is JournalEntry {
  if (typeof entry !== 'object' || entry === null) return false;
  const fields = entry as Readonly<Record<string, unknown>>;
  return FIELDS.get(fields.kind)?.every(([name, check]) => check(fields[name])) ?? false;
}
