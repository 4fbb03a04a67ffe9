import { isJsonType, MAX_EVENT_BYTES } from '@posthorn/contracts';
import { type Fault, isProblem, type Problem, problem } from '../http/problem.ts';
import { checkJson } from '../http/read-json.ts';
import { JSON_CONTENT_TYPE, type PostedEvent } from './posted-event.ts';

/** What receivers get, and where it stood. */
export type Payload = Pick<PostedEvent, 'payload' | 'payloadPointer' | 'contentType'>;

export const TEXT_CONTENT_TYPE = 'text/plain; charset=utf-8';
export const BYTES_CONTENT_TYPE = 'application/octet-stream';
const NO_BYTES = Buffer.alloc(0);
export const NO_PAYLOAD: Payload = {
  payload: NO_BYTES,
  payloadPointer: '/payload',
  contentType: BYTES_CONTENT_TYPE,
};

/** Where the parts of a payload stand in the form at hand, for faults. */
export interface PayloadPlace {
  readonly pointer: string;
  readonly contentTypePointer: string;
}

/** A JSON value as its sender wrote it. */
export function jsonPayload(
  payload: Buffer,
  contentType: string | null,
  { pointer, contentTypePointer }: PayloadPlace,
  faults: Fault[],
): Payload {
  // The empty one is a fault already.
  if (contentType && !isJsonType(contentType)) {
    const detail = 'must be a JSON type: what is not JSON goes into payload_text or payload_base64';
    faults.push({ pointer: contentTypePointer, detail });
  }
  return { payload, payloadPointer: pointer, contentType: contentType ?? JSON_CONTENT_TYPE };
}

/** The text's UTF-8 bytes. */
export function textPayload(
  value: unknown,
  contentType: string | null,
  { pointer, contentTypePointer }: PayloadPlace,
  faults: Fault[],
): Payload {
  if (typeof value !== 'string' || !value.isWellFormed()) {
    const detail = typeof value === 'string' ? 'has half of a surrogate pair' : 'must be a string';
    faults.push({ pointer, detail });
    return NO_PAYLOAD;
  }
  if (contentType !== null && !isUtf8Charset(contentType)) {
    faults.push({
      pointer: contentTypePointer,
      detail: 'must not name a charset but utf-8, in which it is sent',
    });
  }
  return holdJson(Buffer.from(value), contentType ?? TEXT_CONTENT_TYPE, pointer, faults);
}

const CHARSET = /;[ \t]*charset="?([^";]*)"?/i;
const isUtf8Charset = (contentType: string): boolean =>
  /^(utf-?8|us-ascii)?[ \t]*$/i.test(CHARSET.exec(contentType)?.[1] ?? '');

/** The bytes that a base64 text stands for. */
export function base64Payload(
  value: unknown,
  contentType: string | null,
  { pointer }: PayloadPlace,
  faults: Fault[],
): Payload {
  const bytes = typeof value === 'string' ? decodeBase64(value) : null;
  if (bytes === null) {
    faults.push({ pointer, detail: BASE64_RULE });
    return NO_PAYLOAD;
  }
  return holdJson(bytes, contentType ?? BYTES_CONTENT_TYPE, pointer, faults);
}

const BASE64_RULE =
  'must be base64 (RFC 4648 §4): letters, digits, "+" and "/", padded with "=", nothing beside';
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Null for what is not exactly what an encoder writes: Node's decoder passes over garbage. */
export function decodeBase64(text: string): Buffer | null {
  if (text.length % 4 !== 0 || !BASE64.test(text)) return null;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}

/** Bytes that are called JSON are JSON: filters, schemas and views read them as such. */
export function holdJson(
  payload: Buffer,
  contentType: string,
  payloadPointer: string,
  faults: Fault[],
): Payload {
  if (isJsonType(contentType)) {
    const document = checkJson(payload);
    if (document !== null && isProblem(document)) {
      const detail = `is not the JSON that its content type says: ${document.detail}`;
      faults.push({ pointer: payloadPointer, detail });
    }
  }
  return { payload, payloadPointer, contentType };
}

export function payloadTooLarge(bytes: number): Problem | null {
  if (bytes <= MAX_EVENT_BYTES) return null;
  return problem('payload_too_large', `the payload has ${bytes} bytes, ${MAX_EVENT_BYTES} are allowed`);
}
