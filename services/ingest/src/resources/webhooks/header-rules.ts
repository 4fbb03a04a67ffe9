/** Headers of a receiver's own: which names and values a webhook may send. */

export const MAX_HEADERS = 20;
export const MAX_HEADER_NAME_CHARS = 64;
export const MAX_HEADER_VALUE_CHARS = 1_024;
/** Names and values together: a request has room for these, our own headers and those of proxies on its way. */
export const MAX_HEADERS_BYTES = 4_096;

/** What is shown in place of a value; given back, it stands for the value that is stored. */
export const MASKED_VALUE = '***';

/** RFC 9110 §5.1 less the marks that proxies drop or read in their own way. */
const NAME = /^[a-z0-9]+(-+[a-z0-9]+)*$/;
/** RFC 9110 §5.5 without what is obsolete: visible ASCII, with spaces inside. */
const VALUE = /^[\u0021-\u007e]([\u0020-\u007e]*[\u0021-\u007e])?$/;

/**
 * What says where a request goes, where its body ends and how it is encoded, what belongs to one connection (RFC 9110
 * §7.6.1), and what the sender sets itself.
 */
const RESERVED: ReadonlySet<string> = new Set([
  'accept-encoding',
  'cdn-loop',
  'connection',
  'date',
  'expect',
  'forwarded',
  'host',
  'http2-settings',
  'keep-alive',
  'max-forwards',
  'te',
  'traceparent',
  'tracestate',
  'trailer',
  'trailers',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'via',
  'x-real-ip',
]);
const RESERVED_PREFIXES = ['content-', 'proxy-', 'sec-', 'webhook-', 'x-forwarded-', 'x-webhook-'];

/** What is wrong with a set of headers, null when nothing is. Values are never quoted. */
export function headersFault(headers: Readonly<Record<string, string>>): string | null {
  const entries = Object.entries(headers);
  if (entries.length > MAX_HEADERS) return `must have at most ${MAX_HEADERS} members`;
  const faults = entries.flatMap(([name, value]) => headerFault(name, value) ?? []);
  if (faults.length > 0) return faults.join('; ');
  const names = new Set(entries.map(([name]) => name.toLowerCase()));
  if (names.size < entries.length) return 'must name each header once: names are the same in any case';
  const bytes = entries.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  return bytes > MAX_HEADERS_BYTES ? `must have at most ${MAX_HEADERS_BYTES} bytes together` : null;
}

function headerFault(name: string, value: string): string | null {
  const shown = JSON.stringify(name.slice(0, MAX_HEADER_NAME_CHARS).toWellFormed());
  const lower = name.toLowerCase();
  if (name.length > MAX_HEADER_NAME_CHARS || !NAME.test(lower))
    return `${shown} must be 1–${MAX_HEADER_NAME_CHARS} ASCII letters and digits, with "-" between them`;
  if (RESERVED.has(lower) || RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix)))
    return `${shown} is reserved`;
  if (value.length > MAX_HEADER_VALUE_CHARS || !VALUE.test(value))
    return `${shown} must have a value of 1–${MAX_HEADER_VALUE_CHARS} printable ASCII characters, without spaces at its ends`;
  return null;
}
