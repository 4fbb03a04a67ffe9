import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { KEY_BYTES, type KeyRing, type RingKey } from './key-ring.ts';

/**
 * Secrets at rest, by envelope: each value is encrypted under a data key of its own, and that under a key of the ring,
 * both with AES-256-GCM (NIST SP 800-38D) and a random 96-bit nonce. The text is
 * `v2.<key id>.<nonce, data key and tag>.<nonce>.<ciphertext and tag>`, base64url. Tenant, endpoint, field and key id are
 * authenticated with both, so that a sealed value moved to another row does not open there. `v1`, that of the releases
 * before, is without the data key: `v1.<key id>.<nonce>.<ciphertext and tag>`.
 */
export interface SealedFor {
  readonly tenantId: string;
  readonly endpointId: string;
  readonly field: string;
}

export class SealedSecretError extends Error {
  override name = 'SealedSecretError';
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID = /^[0-9a-f]{8}$/;
const WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES;

/** Seals with a nonce, and a data key, of its own: the same secret never looks the same twice. */
export function sealSecret(ring: KeyRing, sealedFor: SealedFor, plaintext: string): string {
  const { keyId, bytes } = ring.sealing;
  const text = Buffer.from(plaintext, 'utf8');
  if (ring.seals === 'v1') {
    const { nonce, sealed } = encrypt(bytes, authenticatedV1(keyId, sealedFor), text);
    return `v1.${keyId}.${base64url(nonce)}.${base64url(sealed)}`;
  }
  const dataKey = randomBytes(KEY_BYTES);
  const wrapped = encrypt(bytes, authenticated('key', keyId, sealedFor), dataKey);
  const { nonce, sealed } = encrypt(dataKey, authenticated('value', keyId, sealedFor), text);
  dataKey.fill(0);
  const wrappedText = base64url(Buffer.concat([wrapped.nonce, wrapped.sealed]));
  return `v2.${keyId}.${wrappedText}.${base64url(nonce)}.${base64url(sealed)}`;
}

/** @throws SealedSecretError when the text is malformed, was sealed with a key that is missing, for another row, or changed. */
export function openSecret(ring: KeyRing, sealedFor: SealedFor, text: string): string {
  const [version, keyId = '', ...parts] = text.split('.');
  const bytes = parts.map(fromBase64url);
  if (version === 'v1' && bytes.length === 2) {
    const key = findKey(ring, keyId);
    return decrypt(key.bytes, authenticatedV1(keyId, sealedFor), bytes[0]!, bytes[1]!).toString('utf8');
  }
  if (version !== 'v2' || bytes.length !== 3 || bytes[0]!.length !== WRAPPED_BYTES) throw malformed();
  const key = findKey(ring, keyId);
  const [wrapped, nonce, sealed] = bytes as [Buffer, Buffer, Buffer];
  const dataKey = decrypt(
    key.bytes,
    authenticated('key', keyId, sealedFor),
    wrapped.subarray(0, NONCE_BYTES),
    wrapped.subarray(NONCE_BYTES),
  );
  const opened = decrypt(dataKey, authenticated('value', keyId, sealedFor), nonce, sealed);
  dataKey.fill(0);
  return opened.toString('utf8');
}

/** Under which key a text is sealed, and how; null where it is no sealed text. */
export function sealOf(text: string): { readonly format: string; readonly keyId: string } | null {
  const [, format, keyId] = /^(v[12])\.([0-9a-f]{8})(?:\.[\w-]+){2,3}$/.exec(text) ?? [];
  return format === undefined || keyId === undefined ? null : { format, keyId };
}

/** Whether it looks as it would if it were sealed now. */
export function isSealedAsNow(ring: KeyRing, text: string): boolean {
  const seal = sealOf(text);
  return seal?.format === ring.seals && seal.keyId === ring.sealing.keyId;
}

function findKey(ring: KeyRing, keyId: string): RingKey {
  if (!KEY_ID.test(keyId)) throw malformed();
  const key = ring.keys.get(keyId);
  if (key !== undefined) return key;
  throw new SealedSecretError(
    `secret was sealed with key ${keyId}, which is not in the key ring (${[...ring.keys.keys()].join(', ')})`,
  );
}

function encrypt(key: Buffer, authenticated: Buffer, plaintext: Buffer): { nonce: Buffer; sealed: Buffer } {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(authenticated);
  return { nonce, sealed: Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]) };
}

function decrypt(key: Buffer, authenticated: Buffer, nonce: Buffer, sealed: Buffer): Buffer {
  if (nonce.length !== NONCE_BYTES || sealed.length < TAG_BYTES) throw malformed();
  const end = sealed.length - TAG_BYTES;
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
      .setAAD(authenticated)
      .setAuthTag(sealed.subarray(end));
    return Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]);
  } catch {
    throw new SealedSecretError('sealed secret does not open: it was changed, or belongs to another row');
  }
}

const malformed = (): SealedSecretError => new SealedSecretError('sealed secret is malformed');
const base64url = (bytes: Buffer): string => bytes.toString('base64url');

/** Of the spellings that decode to the same bytes only the one that an encoder writes: an altered text is refused. */
function fromBase64url(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (base64url(bytes) !== text) throw malformed();
  return bytes;
}

function authenticatedV1(keyId: string, { tenantId, endpointId, field }: SealedFor): Buffer {
  return Buffer.from(['v1', keyId, tenantId, endpointId, field].join('\n'));
}

/** As JSON, in which no two rows look alike whatever is in their names. */
function authenticated(
  part: 'key' | 'value',
  keyId: string,
  { tenantId, endpointId, field }: SealedFor,
): Buffer {
  return Buffer.from(JSON.stringify(['v2', part, keyId, tenantId, endpointId, field]));
}
