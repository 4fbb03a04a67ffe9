import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import {
  ED25519_MISMATCH,
  type KeyBytes,
  PRIVATE_KEY_PREFIX,
  PUBLIC_KEY_PREFIX,
  readKey,
  readPrivateKey,
  readPublicKey,
  readSecret,
  SECRET_PREFIX,
  serialise,
} from './key-text.ts';

/** One HMAC key, parsed once and kept: importing the bytes again for every request costs more than the HMAC. */
export interface HmacKey {
  readonly algorithm: 'hmac-sha256';
  readonly key: KeyObject;
}

/** One ed25519 private key. */
export interface Ed25519Key {
  readonly algorithm: 'ed25519';
  readonly key: KeyObject;
  /** `whpk_…`: what receivers are given. */
  readonly publicKey: string;
}

export interface Ed25519PublicKey {
  readonly algorithm: 'ed25519-public';
  readonly key: KeyObject;
}

/** What signs. */
export type SigningKey = HmacKey | Ed25519Key;
/** What a signature is checked with. */
export type VerifyingKey = SigningKey | Ed25519PublicKey;

export type Parsed<Key> =
  | { readonly ok: true; readonly key: Key }
  /** The reason never repeats the text. */
  | { readonly ok: false; readonly reason: string };
export type ParsedSecret = Parsed<HmacKey>;

const GENERATED_KEY_BYTES = 32;
/** RFC 8410 §7: what stands before the 32 bytes of a seed in PKCS #8, and before those of a public key in SPKI. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** `whsec_` and the base64 of 32 random bytes. */
export function generateSecret(): string {
  return serialise(SECRET_PREFIX, randomBytes(GENERATED_KEY_BYTES));
}

/** A new ed25519 private key: `whsk_` and the base64 of its seed. `parsePrivateKey` gives the public one. */
export function generatePrivateKey(): string {
  const der = generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' });
  return serialise(PRIVATE_KEY_PREFIX, der.subarray(PKCS8_PREFIX.length));
}

/**
 * A secret that both sides hold: `whsec_` and strict base64 of 24 to 64 bytes, or any other text of 16 to 256
 * characters, whose UTF-8 bytes are the key.
 */
export function parseSecret(text: string): ParsedSecret {
  const read = readSecret(text);
  return read.kind === 'refused' ? { ok: false, reason: read.reason } : { ok: true, key: toHmacKey(read) };
}

/** `whsk_` and the base64 of a seed, or of seed and public key, which must belong together. */
export function parsePrivateKey(text: string): Parsed<Ed25519Key> {
  const read = readPrivateKey(text);
  return read.kind === 'refused' ? { ok: false, reason: read.reason } : toPrivateKey(read);
}

/** `whpk_` and the base64 of 32 bytes. */
export function parsePublicKey(text: string): Parsed<Ed25519PublicKey> {
  const read = readPublicKey(text);
  return read.kind === 'refused' ? { ok: false, reason: read.reason } : { ok: true, key: toPublicKey(read) };
}

/** What signs by a scheme: `v1` with a secret, `v1a` with a private key. The prefix does not say: a secret may be any text. */
export function parseSigningKey(scheme: 'v1' | 'v1a', text: string): Parsed<SigningKey> {
  return scheme === 'v1a' ? parsePrivateKey(text) : parseSecret(text);
}

/** Any of the three, by its prefix. */
export function parseKey(text: string): Parsed<VerifyingKey> {
  const read = readKey(text);
  switch (read.kind) {
    case 'refused':
      return { ok: false, reason: read.reason };
    case 'hmac':
      return { ok: true, key: toHmacKey(read) };
    case 'public':
      return { ok: true, key: toPublicKey(read) };
    case 'private':
      return toPrivateKey(read);
  }
}

const toHmacKey = ({ bytes }: KeyBytes & { kind: 'hmac' }): HmacKey => ({
  algorithm: 'hmac-sha256',
  key: createSecretKey(bytes),
});

function toPrivateKey({ seed, publicKey }: KeyBytes & { kind: 'private' }): Parsed<Ed25519Key> {
  const der = Buffer.concat([PKCS8_PREFIX, seed]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const derived = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length);
  // With another public half the same seed signs in a way that gives the seed away.
  if (publicKey !== null && !derived.equals(publicKey)) return { ok: false, reason: ED25519_MISMATCH };
  return { ok: true, key: { algorithm: 'ed25519', key, publicKey: serialise(PUBLIC_KEY_PREFIX, derived) } };
}

const toPublicKey = ({ bytes }: KeyBytes & { kind: 'public' }): Ed25519PublicKey => ({
  algorithm: 'ed25519-public',
  key: createPublicKey({ key: Buffer.concat([SPKI_PREFIX, bytes]), format: 'der', type: 'spki' }),
});
