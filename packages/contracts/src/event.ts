/** What an event may look like, wherever it enters. */
export const MAX_EVENT_BYTES = 256 * 1024;
export const MAX_LABELS = 20;
export const MAX_LABEL_KEY_CHARS = 64;
export const MAX_LABEL_VALUE_CHARS = 128;

export type Labels = Readonly<Record<string, string>>;

const EVENT_TYPE = /^[a-z0-9_-]+(\.[a-z0-9_-]+){0,7}$/;
const EVENT_TYPE_FILTER = /^(\*|[a-z0-9_-]+(\.[a-z0-9_-]+){0,7}(\.\*)?)$/;
const LABEL_KEY = /^[a-zA-Z0-9_][a-zA-Z0-9_./-]{0,63}$/;
export const MAX_EVENT_TYPE_CHARS = 256;

/** 1–8 dot-separated parts of `[a-z0-9_-]`, 256 characters at most: `order.created`, `gitlab.push.created`. */
export const isEventType = (text: string): boolean =>
  text.length <= MAX_EVENT_TYPE_CHARS && EVENT_TYPE.test(text);

/** An event type, `*` (every type), or a prefix with `.*` (`order.*` matches `order.created` and `order.item.added`). */
export const isEventTypeFilter = (text: string): boolean =>
  text.length <= MAX_EVENT_TYPE_CHARS && EVENT_TYPE_FILTER.test(text);

/** 1–64 of ASCII letters, digits, `_`, `.`, `/` and `-`, the first a letter, digit or `_`. */
export const isLabelKey = (text: string): boolean => LABEL_KEY.test(text) && text !== '__proto__';

/** Text that every store and header can carry: no control characters, no half of a surrogate pair. */
export const isPlainText = (text: string): boolean =>
  !/[\u0000-\u001f\u007f-\u009f]/.test(text) && text.isWellFormed();

export const isLabelValue = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MAX_LABEL_VALUE_CHARS && isPlainText(value);

export const MAX_CONTENT_TYPE_CHARS = 256;

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const QUOTED = '"(?:[\\t !#-\\[\\]-~]|\\\\[\\t -~])*"';
const PARAMETER = `[ \\t]*;[ \\t]*${TOKEN}=(?:${TOKEN}|${QUOTED})`;
const MEDIA_TYPE = new RegExp(`^${TOKEN}/${TOKEN}(?:${PARAMETER})*$`);
const JSON_TYPE = new RegExp(`^(?:application|text)/(?:json|${TOKEN}\\+json)(?=[ \\t;]|$)`, 'i');

/** A media type with its parameters (RFC 9110 §8.3.1), in ASCII and without line breaks: safe as a header. */
export const isContentType = (text: string): boolean =>
  text.length <= MAX_CONTENT_TYPE_CHARS && MEDIA_TYPE.test(text);

/** Whether a media type says that the bytes are JSON (RFC 6839 §3.1); of what ingest accepted they then are. */
export const isJsonType = (contentType: string): boolean => JSON_TYPE.test(contentType);

export interface Subscription {
  readonly eventTypes: readonly string[];
  readonly labels: Labels;
}

/** An endpoint gets an event when one of its type filters matches and the event carries all of its labels. */
export function matches(subscription: Subscription, eventType: string, labels: Labels): boolean {
  return matchesType(subscription.eventTypes, eventType) && carriesLabels(subscription.labels, labels);
}

function matchesType(filters: readonly string[], eventType: string): boolean {
  for (const filter of filters) {
    if (filter === '*' || filter === eventType) return true;
    if (filter.endsWith('.*') && eventType.startsWith(filter.slice(0, -1))) return true;
  }
  return false;
}

/** Whether the event carries every label that is wanted. */
export function carriesLabels(wanted: Labels, carried: Labels): boolean {
  for (const key of Object.keys(wanted)) {
    if (!Object.hasOwn(carried, key) || carried[key] !== wanted[key]) return false;
  }
  return true;
}
