import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';

/** One HMAC key, parsed once and kept: importing the bytes again for every request costs more than the HMAC. */
export interface SigningKey {
  readonly algorithm: 'hmac-sha256';
  readonly key: KeyObject;
}

export type ParsedSecret =
  | { readonly ok: true; readonly key: SigningKey }
  | { readonly ok: false; readonly reason: string };

export const SECRET_PREFIX = 'whsec_';

const GENERATED_KEY_BYTES = 32;
/** Standard Webhooks 1.0, "Signature scheme": 192 bits at least, 512 at most. */
const MIN_KEY_BYTES = 24;
const MAX_KEY_BYTES = 64;
const MIN_PLAIN_CHARACTERS = 16;
const MAX_PLAIN_CHARACTERS = 256;
/** More than 64 bytes ever need, so that the reason can still name how many there are; bounded all the same. */
const MAX_ENCODED_CHARACTERS = 512;

/** `whsec_` and the base64 of 32 random bytes. */
export function generateSecret(): string {
  return SECRET_PREFIX + randomBytes(GENERATED_KEY_BYTES).toString('base64');
}

/**
 * `whsec_…` is the serialised key of Standard Webhooks: strict base64 of 24 to 64 bytes. Any other text of 16 to 256
 * characters is a plain secret, whose UTF-8 bytes are the key. What starts as the first never falls back to the
 * second: sender and receiver would then hold different keys and neither would be told.
 * The reason never repeats the secret.
 */
export function parseSecret(text: string): ParsedSecret {
  return text.startsWith(SECRET_PREFIX) ? parseSerialised(text) : parsePlain(text);
}

function parseSerialised(text: string): ParsedSecret {
  const encoded = text.slice(SECRET_PREFIX.length);
  const bytes = decodeStrictBase64(encoded);
  if (bytes === null) return refuse(`${SECRET_PREFIX} must be followed by padded standard base64`);
  if (bytes.length < MIN_KEY_BYTES || bytes.length > MAX_KEY_BYTES) {
    return refuse(`the base64 must hold ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} bytes, not ${bytes.length}`);
  }
  return accept(bytes);
}

function parsePlain(text: string): ParsedSecret {
  if (text.length < MIN_PLAIN_CHARACTERS || text.length > MAX_PLAIN_CHARACTERS) {
    return refuse(`a secret has ${MIN_PLAIN_CHARACTERS} to ${MAX_PLAIN_CHARACTERS} characters`);
  }
  // A lone surrogate has no UTF-8 form: it would silently become U+FFFD and match another secret's key.
  if (!text.isWellFormed()) return refuse('a secret must be well-formed Unicode text');
  return accept(Buffer.from(text, 'utf8'));
}

/** Node's decoder skips what it does not know, so a text is base64 only if its bytes are written the same way. */
function decodeStrictBase64(encoded: string): Buffer | null {
  if (encoded.length > MAX_ENCODED_CHARACTERS) return null;
  const bytes = Buffer.from(encoded, 'base64');
  return bytes.toString('base64') === encoded ? bytes : null;
}

function accept(bytes: Buffer): ParsedSecret {
  return { ok: true, key: { algorithm: 'hmac-sha256', key: createSecretKey(bytes) } };
}

function refuse(reason: string): ParsedSecret {
  return { ok: false, reason };
}
