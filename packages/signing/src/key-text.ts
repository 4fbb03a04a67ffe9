import { decodeBase64, encodeBase64 } from './strict-base64.ts';

/** Of an HMAC key. */
export const SECRET_PREFIX = 'whsec_';
/** Of an ed25519 private key. */
export const PRIVATE_KEY_PREFIX = 'whsk_';
/** Of an ed25519 public key. */
export const PUBLIC_KEY_PREFIX = 'whpk_';

/** What a text says a key is, before any library made one of it. */
export type KeyBytes =
  | { readonly kind: 'hmac'; readonly bytes: Uint8Array<ArrayBuffer> }
  /** `publicKey` is there where the text had both halves; whether they belong together is not known yet. */
  | {
      readonly kind: 'private';
      readonly seed: Uint8Array<ArrayBuffer>;
      readonly publicKey: Uint8Array<ArrayBuffer> | null;
    }
  | { readonly kind: 'public'; readonly bytes: Uint8Array<ArrayBuffer> };

export interface Refused {
  readonly kind: 'refused';
  /** Never repeats the text. */
  readonly reason: string;
}

/** Standard Webhooks 1.0, "Signature scheme": 192 bits at least, 512 at most. */
const MIN_KEY_BYTES = 24;
const MAX_KEY_BYTES = 64;
const MIN_PLAIN_CHARACTERS = 16;
const MAX_PLAIN_CHARACTERS = 256;
/** More than 64 bytes ever need, so that the reason can still name how many there are; bounded all the same. */
const MAX_ENCODED_CHARACTERS = 512;
/** RFC 8032 §5.1.5: of a seed, and of a public key. */
export const ED25519_KEY_BYTES = 32;
export const ED25519_MISMATCH = 'the two halves of the private key do not belong together';

export const serialise = (prefix: string, bytes: Uint8Array): string => prefix + encodeBase64(bytes);

/**
 * `whsec_…` is the serialised key of Standard Webhooks: strict base64 of 24 to 64 bytes. Any other text of 16 to 256
 * characters is a plain secret, whose UTF-8 bytes are the key. What starts as the first never falls back to the
 * second: sender and receiver would then hold different keys and neither would be told.
 */
export function readSecret(text: string): (KeyBytes & { kind: 'hmac' }) | Refused {
  return text.startsWith(SECRET_PREFIX) ? readSerialised(text) : readPlain(text);
}

/** `whsk_` and the base64 of the 32-byte seed, or of seed and public key together, as libsodium and Go keep it. */
export function readPrivateKey(text: string): (KeyBytes & { kind: 'private' }) | Refused {
  const bytes = decode(text, PRIVATE_KEY_PREFIX);
  if (bytes === null) return refuse(`must be ${PRIVATE_KEY_PREFIX} and padded standard base64`);
  if (bytes.length !== ED25519_KEY_BYTES && bytes.length !== 2 * ED25519_KEY_BYTES)
    return refuse(
      `the base64 must hold ${ED25519_KEY_BYTES} or ${2 * ED25519_KEY_BYTES} bytes, not ${bytes.length}`,
    );
  const publicKey = bytes.length > ED25519_KEY_BYTES ? bytes.slice(ED25519_KEY_BYTES) : null;
  return { kind: 'private', seed: bytes.slice(0, ED25519_KEY_BYTES), publicKey };
}

/** `whpk_` and the base64 of 32 bytes. */
export function readPublicKey(text: string): (KeyBytes & { kind: 'public' }) | Refused {
  const bytes = decode(text, PUBLIC_KEY_PREFIX);
  if (bytes === null) return refuse(`must be ${PUBLIC_KEY_PREFIX} and padded standard base64`);
  if (bytes.length !== ED25519_KEY_BYTES)
    return refuse(`the base64 must hold ${ED25519_KEY_BYTES} bytes, not ${bytes.length}`);
  return { kind: 'public', bytes };
}

/** Any of them, by its prefix. */
export function readKey(text: string): KeyBytes | Refused {
  if (text.startsWith(PUBLIC_KEY_PREFIX)) return readPublicKey(text);
  if (text.startsWith(PRIVATE_KEY_PREFIX)) return readPrivateKey(text);
  return readSecret(text);
}

function readSerialised(text: string): (KeyBytes & { kind: 'hmac' }) | Refused {
  const bytes = decode(text, SECRET_PREFIX);
  if (bytes === null) return refuse(`${SECRET_PREFIX} must be followed by padded standard base64`);
  if (bytes.length < MIN_KEY_BYTES || bytes.length > MAX_KEY_BYTES) {
    return refuse(`the base64 must hold ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} bytes, not ${bytes.length}`);
  }
  return { kind: 'hmac', bytes };
}

function readPlain(text: string): (KeyBytes & { kind: 'hmac' }) | Refused {
  if (text.length < MIN_PLAIN_CHARACTERS || text.length > MAX_PLAIN_CHARACTERS) {
    return refuse(`a secret has ${MIN_PLAIN_CHARACTERS} to ${MAX_PLAIN_CHARACTERS} characters`);
  }
  // A lone surrogate has no UTF-8 form: it would silently become U+FFFD and match another secret's key.
  if (!text.isWellFormed()) return refuse('a secret must be well-formed Unicode text');
  return { kind: 'hmac', bytes: new TextEncoder().encode(text) };
}

function decode(text: string, prefix: string): Uint8Array<ArrayBuffer> | null {
  if (!text.startsWith(prefix) || text.length > prefix.length + MAX_ENCODED_CHARACTERS) return null;
  return decodeBase64(text.slice(prefix.length));
}

const refuse = (reason: string): Refused => ({ kind: 'refused', reason });
