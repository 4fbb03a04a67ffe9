import { DEFAULT_HEADER_PREFIX, headerNames } from './header-names.ts';

/** A type alias, so that it can be passed where any headers can. */
export type SignatureHeaders = {
  readonly 'webhook-id': string;
  readonly 'webhook-timestamp': string;
  readonly 'webhook-signature': string;
  /** For plain receivers: HMAC of the body alone, with the current secret. Left out where no secret signs. */
  readonly 'x-webhook-signature'?: string;
};

/** The values of the headers, whatever they are called. */
export interface Signatures {
  readonly id: string;
  readonly timestamp: string;
  /** One for each key, with a space between. */
  readonly signature: string;
  /** Null where no secret signs. */
  readonly bodySignature: string | null;
}

/** Visible ASCII less "." (0x2E): with a dot, one signature would cover another id and body as well. */
const SIGNABLE_ID = /^[\x21-\x2d\x2f-\x7e]{1,256}$/;

/**
 * What is signed before the body: `id.timestamp.`.
 * @throws {RangeError} on an id or a timestamp that no caller should pass: signing it would be unsafe.
 */
export function signedPrefix(id: string, timestampSeconds: number): string {
  if (!SIGNABLE_ID.test(id)) throw new RangeError('a signed id is visible ASCII without "."');
  if (!Number.isSafeInteger(timestampSeconds) || timestampSeconds < 0) {
    throw new RangeError('a signed timestamp is a whole number of Unix seconds');
  }
  return `${id}.${timestampSeconds}.`;
}

export function toHeaders(
  { id, timestamp, signature, bodySignature }: Signatures,
  prefix: string = DEFAULT_HEADER_PREFIX,
): Record<string, string> {
  const names = headerNames(prefix);
  const headers = { [names.id]: id, [names.timestamp]: timestamp, [names.signature]: signature };
  if (bodySignature !== null) headers[names.bodySignature] = bodySignature;
  return headers;
}
