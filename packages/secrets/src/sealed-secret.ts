import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { KeyRing, RingKey } from './key-ring.ts';

/**
 * Secrets at rest: AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. The text is
 * `v1.<key id>.<nonce>.<ciphertext and tag>`, base64url. Tenant, endpoint and field are authenticated with it, so
 * that a sealed value moved to another row does not open there.
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

/** Seals with a nonce of its own: the same secret never looks the same twice. */
export function sealSecret({ sealing: key }: KeyRing, sealedFor: SealedFor, plaintext: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce).setAAD(authenticated(key, sealedFor));
  const sealed = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `v1.${key.keyId}.${nonce.toString('base64url')}.${sealed.toString('base64url')}`;
}

/** @throws SealedSecretError when the text is malformed, was sealed with another key, for another row, or changed. */
export function openSecret(ring: KeyRing, sealedFor: SealedFor, text: string): string {
  const [version, keyId, nonceText, sealedText, ...rest] = text.split('.');
  if (version !== 'v1' || nonceText === undefined || sealedText === undefined || rest.length > 0)
    throw new SealedSecretError('sealed secret is malformed');
  const key = ring.keys.get(keyId!);
  if (!key)
    throw new SealedSecretError(
      `secret was sealed with key ${keyId}, SECRETS_KEY is key ${ring.sealing.keyId}`,
    );
  const nonce = Buffer.from(nonceText, 'base64url');
  const sealed = Buffer.from(sealedText, 'base64url');
  if (nonce.length !== NONCE_BYTES || sealed.length < TAG_BYTES)
    throw new SealedSecretError('sealed secret is malformed');
  try {
    const decipher = createDecipheriv('aes-256-gcm', key.bytes, nonce, { authTagLength: TAG_BYTES })
      .setAAD(authenticated(key, sealedFor))
      .setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    return (
      decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES), undefined, 'utf8') +
      decipher.final('utf8')
    );
  } catch {
    throw new SealedSecretError('sealed secret does not open: it was changed, or belongs to another row');
  }
}

function authenticated(key: RingKey, { tenantId, endpointId, field }: SealedFor): Buffer {
  return Buffer.from(['v1', key.keyId, tenantId, endpointId, field].join('\n'));
}
