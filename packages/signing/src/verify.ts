import { createHmac, timingSafeEqual, verify as verifyDigest } from 'node:crypto';
import { parseKey, type VerifyingKey } from './keys.ts';
import {
  type Received,
  type ReceivedHeaders,
  readReceived,
  type VerifyFailure,
  type VerifyOptions,
  type VerifyResult,
} from './read-received.ts';

/**
 * Checks a received webhook as Standard Webhooks 1.0 asks. `keys` are all that are valid now (two during a rotation), as
 * text (`whsec_…`, `whpk_…`, a plain secret) or parsed; undefined, as of a variable that nobody set, is an invalid
 * secret. Signatures of other versions are passed over; one match of any key is enough. Takes any input without
 * throwing but a header prefix that is none.
 * @throws {RangeError} on such a prefix.
 */
export function verify(
  headers: ReceivedHeaders,
  body: Uint8Array | string,
  keys: readonly (string | VerifyingKey | undefined)[],
  options: VerifyOptions,
): VerifyResult {
  const received = readReceived(headers, options);
  if (typeof received === 'string') return refuse(received);
  const parsed = parseKeys(keys);
  if (parsed === null) return refuse('invalid_secret');
  // Every key is tried, match or not, so that time tells nothing about which one came close.
  const matches = parsed.filter((key) => matchesAny(received, body, key));
  return matches.length > 0 ? { ok: true } : refuse('no_matching_signature');
}

function parseKeys(keys: readonly (string | VerifyingKey | undefined)[]): VerifyingKey[] | null {
  const usable: VerifyingKey[] = [];
  for (const key of keys) {
    if (key === undefined) return null;
    const parsed = typeof key === 'string' ? parseKey(key) : { ok: true as const, key };
    if (!parsed.ok) return null;
    usable.push(parsed.key);
  }
  return usable.length === 0 ? null : usable;
}

function matchesAny(
  received: Received,
  body: Uint8Array | string,
  { algorithm, key }: VerifyingKey,
): boolean {
  const { prefix, hmacs, ed25519 } = received;
  if (algorithm !== 'hmac-sha256') {
    if (ed25519.length === 0) return false;
    const content = Buffer.concat([Buffer.from(prefix), toBytes(body)]);
    return ed25519.some((signature) => verifyDigest(null, content, key, signature));
  }
  if (hmacs.length === 0) return false;
  const expected = createHmac('sha256', key).update(prefix).update(body).digest();
  return hmacs.filter((hmac) => timingSafeEqual(hmac, expected)).length > 0;
}

const toBytes = (body: Uint8Array | string): Uint8Array =>
  typeof body === 'string' ? Buffer.from(body) : body;

function refuse(reason: VerifyFailure): VerifyResult {
  return { ok: false, reason };
}
