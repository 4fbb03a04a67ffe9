import { createHmac } from 'node:crypto';
import type { SigningKey } from './secret.ts';

export interface SignInput {
  /** `webhook-id`: visible ASCII without ".", at most 256 characters. */
  readonly id: string;
  /** Unix seconds of this attempt. */
  readonly timestampSeconds: number;
  /** Exactly the bytes that go on the wire. */
  readonly body: Buffer;
  /** Current key first; one signature per key, so that a rotation needs no moment of agreement. */
  readonly keys: readonly SigningKey[];
}

/** A type alias, so that it can be passed where any headers can. */
export type SignatureHeaders = {
  readonly 'webhook-id': string;
  readonly 'webhook-timestamp': string;
  readonly 'webhook-signature': string;
  /** For plain receivers: HMAC of the body alone, with the current key. */
  readonly 'x-webhook-signature': string;
};

/** Visible ASCII less "." (0x2E): with a dot, one signature would cover another id and body as well. */
const SIGNABLE_ID = /^[\x21-\x2d\x2f-\x7e]{1,256}$/;

/**
 * The headers of Standard Webhooks 1.0 and `X-Webhook-Signature`.
 * @throws {RangeError} on an id, timestamp or list of keys that no caller should pass: signing it would be unsafe.
 */
export function sign({ id, timestampSeconds, body, keys }: SignInput): SignatureHeaders {
  const current = keys[0];
  if (current === undefined) throw new RangeError('sign needs at least one key');
  if (!SIGNABLE_ID.test(id)) throw new RangeError('a signed id is visible ASCII without "."');
  if (!Number.isSafeInteger(timestampSeconds) || timestampSeconds < 0) {
    throw new RangeError('a signed timestamp is a whole number of Unix seconds');
  }
  const prefix = `${id}.${timestampSeconds}.`;
  let signatures = signatureOf(current, prefix, body);
  for (let i = 1; i < keys.length; i++) signatures += ` ${signatureOf(keys[i]!, prefix, body)}`;
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestampSeconds),
    'webhook-signature': signatures,
    'x-webhook-signature': `sha256=${createHmac('sha256', current.key).update(body).digest('hex')}`,
  };
}

function signatureOf(key: SigningKey, prefix: string, body: Buffer): string {
  return `v1,${createHmac('sha256', key.key).update(prefix, 'latin1').update(body).digest('base64')}`;
}
