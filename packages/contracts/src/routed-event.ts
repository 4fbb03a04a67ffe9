import { isJsonType, type Labels } from './event.ts';
import { parseExact } from './parse-exact.ts';

/** What decides where an event goes. */
export interface RoutedEvent extends FilterSubject {
  readonly type: string;
}

/** What a content filter looks at. */
export interface FilterSubject {
  readonly labels: Labels;
  /** The payload as JSON out of `parseExact`; undefined for a payload that is none. Parsed at the first look. */
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
        parsed = isJsonType(contentType) ? parseJson(payload) : undefined;
        isParsed = true;
      }
      return parsed;
    },
  };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return parseExact(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch {
    return undefined;
  }
}
