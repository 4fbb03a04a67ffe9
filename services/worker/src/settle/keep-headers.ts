import { type AttemptedEntry, isSensitiveHeader, type Outcome, REDACTED } from '@posthorn/contracts';
import type { SentResponse } from '@posthorn/egress';

const MAX_SUCCESS_HEADER_CHARS = 1_024;
const MAX_FAILURE_HEADER_CHARS = 4_096;
/** Said of the connection, or known anyway: of a success, which is most of what is journaled, not worth their bytes. */
const DULL: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'transfer-encoding',
]);

/** Of a response's headers what goes to the record: in their order, as many as fit, sensitive values redacted. */
export function keepHeaders(
  headers: SentResponse['headers'] | null,
  outcome: Outcome['kind'],
): Pick<AttemptedEntry, 'responseHeaders'> {
  if (headers === null) return {};
  const failed = outcome === 'failure';
  // Names are the receiver's: `__proto__` is one too.
  const kept: Record<string, string | readonly string[]> = Object.create(null);
  let room = failed ? MAX_FAILURE_HEADER_CHARS : MAX_SUCCESS_HEADER_CHARS;
  let isEmpty = true;
  for (const name in headers) {
    if (!failed && DULL.has(name)) continue;
    const value = isSensitiveHeader(name) ? REDACTED : headers[name]!;
    room -= name.length + lengthOf(value);
    if (room < 0) break;
    kept[name] = value;
    isEmpty = false;
  }
  return isEmpty ? {} : { responseHeaders: kept };
}

function lengthOf(value: string | readonly string[]): number {
  if (typeof value === 'string') return value.length;
  return value.reduce((sum, each) => sum + each.length, 0);
}
