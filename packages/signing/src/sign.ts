import { createHmac, sign as signDigest } from 'node:crypto';
import type { HmacKey, SigningKey } from './keys.ts';
import { type SignatureHeaders, type Signatures, signedPrefix, toHeaders } from './signed-content.ts';

export interface SignInput {
  /** `webhook-id`: visible ASCII without ".", at most 256 characters. */
  readonly id: string;
  /** Unix seconds of this attempt. */
  readonly timestampSeconds: number;
  /** Exactly the bytes that go on the wire; of a text its UTF-8. */
  readonly body: Uint8Array | string;
  /** Current key first; one signature per key, so that a rotation needs no moment of agreement. */
  readonly keys: readonly SigningKey[];
}

export interface HeaderOptions {
  /** In place of `webhook`. */
  readonly headerPrefix?: string;
}

/**
 * The headers of Standard Webhooks 1.0 and `X-Webhook-Signature`.
 * @throws {RangeError} on an id, timestamp, list of keys or prefix that no caller should pass.
 */
export function sign(input: SignInput): SignatureHeaders;
export function sign(input: SignInput, options: HeaderOptions): Record<string, string>;
export function sign(input: SignInput, options: HeaderOptions = {}): Record<string, string> {
  return toHeaders(makeSignatures(input), options.headerPrefix);
}

/** The same without names, for who sends headers under names of his own. @throws {RangeError} as `sign` does. */
export function makeSignatures({ id, timestampSeconds, body, keys }: SignInput): Signatures {
  if (keys.length === 0) throw new RangeError('sign needs at least one key');
  const prefix = signedPrefix(id, timestampSeconds);
  let signature = signatureOf(keys[0]!, prefix, body);
  for (let i = 1; i < keys.length; i++) signature += ` ${signatureOf(keys[i]!, prefix, body)}`;
  const secret = keys.find(isHmac);
  return {
    id,
    timestamp: String(timestampSeconds),
    signature,
    bodySignature:
      secret === undefined ? null : `sha256=${createHmac('sha256', secret.key).update(body).digest('hex')}`,
  };
}

const isHmac = (key: SigningKey): key is HmacKey => key.algorithm === 'hmac-sha256';

function signatureOf({ algorithm, key }: SigningKey, prefix: string, body: Uint8Array | string): string {
  if (algorithm === 'hmac-sha256')
    return `v1,${createHmac('sha256', key).update(prefix, 'latin1').update(body).digest('base64')}`;
  // Ed25519 reads its message twice, so it has to be in one piece.
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const content = Buffer.concat([Buffer.from(prefix, 'latin1'), bytes]);
  return `v1a,${signDigest(null, content, key).toString('base64')}`;
}
