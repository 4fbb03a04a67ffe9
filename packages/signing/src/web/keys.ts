import {
  ED25519_MISMATCH,
  type KeyBytes,
  PRIVATE_KEY_PREFIX,
  PUBLIC_KEY_PREFIX,
  readKey,
  SECRET_PREFIX,
  serialise,
} from '../key-text.ts';
import { decodeBase64 } from '../strict-base64.ts';

/** Named after the call, since its own name is not in every runtime's types. */
type CryptoKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/** A key that Web Crypto holds, imported once and kept. */
export interface WebKey {
  readonly algorithm: 'hmac-sha256' | 'ed25519' | 'ed25519-public';
  /** Checks signatures. */
  readonly verifying: CryptoKey;
  /** Makes them; null for a public key. */
  readonly signing: CryptoKey | null;
  /** `whpk_…` of an ed25519 key; null for a secret. */
  readonly publicKey: string | null;
}

export type ImportedKey =
  | { readonly ok: true; readonly key: WebKey }
  /** The reason never repeats the text. */
  | { readonly ok: false; readonly reason: string };

const GENERATED_KEY_BYTES = 32;
const HMAC = { name: 'HMAC', hash: 'SHA-256' } as const;
export const ED25519 = 'Ed25519';
/** RFC 8410 §7: what stands before the 32 bytes of a seed in PKCS #8. */
const PKCS8_PREFIX = Uint8Array.from([
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
]);

/** `whsec_` and the base64 of 32 random bytes. */
export function generateSecret(): string {
  return serialise(SECRET_PREFIX, crypto.getRandomValues(new Uint8Array(GENERATED_KEY_BYTES)));
}

/** A new ed25519 private key: `whsk_` and the base64 of its seed. */
export async function generatePrivateKey(): Promise<string> {
  const pair = await crypto.subtle.generateKey(ED25519, true, ['sign', 'verify']);
  if (!('privateKey' in pair)) throw new TypeError('Web Crypto made no pair of keys');
  const der = new Uint8Array(await crypto.subtle.exportKey('pkcs8', pair.privateKey));
  return serialise(PRIVATE_KEY_PREFIX, der.subarray(PKCS8_PREFIX.length));
}

/** `whsec_…`, `whsk_…`, `whpk_…`, or a plain secret of 16 to 256 characters. */
export async function importKey(text: string): Promise<ImportedKey> {
  const read = readKey(text);
  switch (read.kind) {
    case 'refused':
      return { ok: false, reason: read.reason };
    case 'hmac': {
      const key = await crypto.subtle.importKey('raw', read.bytes, HMAC, false, ['sign', 'verify']);
      return {
        ok: true,
        key: { algorithm: 'hmac-sha256', verifying: key, signing: key, publicKey: null },
      };
    }
    case 'public': {
      const verifying = await importPublic(read.bytes);
      if (verifying === null) return { ok: false, reason: 'these bytes are no public key of ed25519' };
      return { ok: true, key: { algorithm: 'ed25519-public', verifying, signing: null, publicKey: text } };
    }
    case 'private':
      return importPrivate(read);
  }
}

async function importPrivate({ seed, publicKey }: KeyBytes & { kind: 'private' }): Promise<ImportedKey> {
  const der = new Uint8Array(PKCS8_PREFIX.length + seed.length);
  der.set(PKCS8_PREFIX);
  der.set(seed, PKCS8_PREFIX.length);
  const signing = await crypto.subtle.importKey('pkcs8', der, ED25519, true, ['sign']);
  const { x = '' } = await crypto.subtle.exportKey('jwk', signing);
  const derived = decodeUrlBase64(x);
  // With another public half the same seed signs in a way that gives the seed away.
  if (derived === null || publicKey?.some((byte, i) => byte !== derived[i]))
    return { ok: false, reason: ED25519_MISMATCH };
  const verifying = await importPublic(derived);
  if (verifying === null) return { ok: false, reason: ED25519_MISMATCH };
  return {
    ok: true,
    key: { algorithm: 'ed25519', verifying, signing, publicKey: serialise(PUBLIC_KEY_PREFIX, derived) },
  };
}

/** Null where the runtime says that these bytes are none; some leave that to the first use. */
async function importPublic(bytes: Uint8Array<ArrayBuffer>): Promise<CryptoKey | null> {
  try {
    return await crypto.subtle.importKey('raw', bytes, ED25519, false, ['verify']);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'DataError') return null;
    throw error;
  }
}

/** RFC 7517 has its members in base64url without padding. */
function decodeUrlBase64(text: string): Uint8Array<ArrayBuffer> | null {
  const padded = text.replaceAll('-', '+').replaceAll('_', '/');
  return decodeBase64(padded + '='.repeat((4 - (padded.length % 4)) % 4));
}
