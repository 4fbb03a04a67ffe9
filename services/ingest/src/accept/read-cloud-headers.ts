import type { IncomingHttpHeaders } from 'node:http';
import { type Fault, invalidRequest, type Problem } from '../http/problem.ts';
import type { ReadContext } from './check-fields.ts';
import { type Attributes, readAttributes } from './cloud-attributes.ts';
import type { PostedEvent } from './posted-event.ts';
import { BYTES_CONTENT_TYPE, holdJson, payloadTooLarge } from './read-payload.ts';

const PREFIX = 'ce-';

/** Whether a request carries a CloudEvent in binary mode: its attributes in headers, its data as the body. */
export const isBinaryMode = (headers: IncomingHttpHeaders): boolean =>
  headers['ce-specversion'] !== undefined;

/** Reads one (CloudEvents 1.0.2, HTTP protocol binding §3.1): the body is the payload as it is. */
export function readCloudHeaders(
  headers: IncomingHttpHeaders,
  body: Buffer,
  context: ReadContext,
): PostedEvent | Problem {
  const tooLarge = payloadTooLarge(body.length);
  if (tooLarge) return tooLarge;
  const faults: Fault[] = [];
  const given: Attributes = new Map();
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(PREFIX)) given.set(name.slice(PREFIX.length), readHeader(name, value, faults));
  }
  given.set('datacontenttype', headers['content-type']);
  const { contentType, ...envelope } = readAttributes(given, 'headers', context, faults);
  // Without data there is nothing that its type could be said of.
  const bodyType = body.length === 0 ? null : contentType;
  const payload = holdJson(body, bodyType ?? BYTES_CONTENT_TYPE, '', faults);
  return faults.length > 0 ? invalidRequest(faults) : { ...envelope, ...payload };
}

/** Header values are UTF-8, percent-encoded into visible ASCII; they may be quoted (§3.1.3.2). */
function readHeader(name: string, value: string | string[] | undefined, faults: Fault[]): unknown {
  const text = String(value);
  if (!/^[ -~]*$/.test(text)) {
    faults.push({ pointer: name, detail: 'must be percent-encoded where it is not ASCII' });
    return undefined;
  }
  const unquoted = /^".*"$/.test(text) ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text;
  try {
    return decodeURIComponent(unquoted.replace(/%(?![0-9a-fA-F]{2})/g, '%25'));
  } catch {
    faults.push({ pointer: name, detail: 'is not percent-encoded UTF-8' });
    return undefined;
  }
}
