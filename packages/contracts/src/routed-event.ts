import { ExactNumber } from './compare-numbers.ts';
import { isJsonType, type Labels } from './event.ts';

/** What decides where an event goes. */
export interface RoutedEvent extends FilterSubject {
  readonly type: string;
}

/** What a content filter looks at. */
export interface FilterSubject {
  readonly labels: Labels;
  /** The payload as JSON, its numbers exact; undefined for a payload that is none. Parsed at the first look. */
  payload(): unknown;
}

interface Described {
  readonly type: string;
  readonly labels: Labels;
  readonly contentType: string;
}

/** Costs nothing beyond itself until a filter looks at the payload. */
export function routedEvent({ type, labels, contentType }: Described, payload: Uint8Array): RoutedEvent {
  let parsed: unknown;
  let isParsed = false;
  return {
    type,
    labels,
    payload() {
      if (!isParsed) {
        parsed = isJsonType(contentType) ? parseExact(payload) : undefined;
        isParsed = true;
      }
      return parsed;
    },
  };
}

/**
 * A number of more than 15 digits, or with an exponent of more than two: the only ones that two doubles can fail to
 * tell apart. What looks like one in a string costs time, nothing else.
 */
const MAY_BE_INEXACT = /(?:^|[:,[\s])-?(?:[\d.]{16}|[\d.]+[eE][+-]?\d{3})/;

/** Undefined for what is no JSON. Numbers that are not what was written, as doubles, are an `ExactNumber`. */
function parseExact(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  try {
    return MAY_BE_INEXACT.test(text) ? JSON.parse(text, keepDigits as Reviver) : JSON.parse(text);
  } catch {
    return undefined;
  }
}

type Reviver = (key: string, value: unknown) => unknown;

/** `source` is given for primitive values (ECMAScript: JSON.parse source text access). */
function keepDigits(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined) return value;
  return MAY_BE_INEXACT.test(context.source) ? new ExactNumber(context.source) : value;
}
