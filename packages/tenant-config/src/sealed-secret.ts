import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

/**
 * Secrets at rest: AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. The text is
 * `v1.<key id>.<nonce>.<ciphertext and tag>`, base64url. Tenant, endpoint and field are authenticated with it, so
 * that a sealed value moved to another row does not open there.
 */
export interface SecretsKey {
  /** 8 hex digits of the key's SHA-256. */
  readonly keyId: string;
  readonly bytes: Buffer;
}

export interface SealedFor {
  readonly tenantId: string;
  readonly endpointId: string;
  readonly field: string;
}

export class SealedSecretError extends Error {
  override name = 'SealedSecretError';
}

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** From `SECRETS_KEY`: base64 of 32 bytes. @throws Error that does not quote the text. */
export function parseSecretsKey(text: string): SecretsKey {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== KEY_BYTES || bytes.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, ''))
    throw new Error(`not base64 of ${KEY_BYTES} bytes`);
  return { keyId: createHash('sha256').update(bytes).digest('hex').slice(0, 8), bytes };
}

/** Seals with a nonce of its own: the same secret never looks the same twice. */
export function sealSecret(key: SecretsKey, sealedFor: SealedFor, plaintext: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce).setAAD(authenticated(key, sealedFor));
  const sealed = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `v1.${key.keyId}.${nonce.toString('base64url')}.${sealed.toString('base64url')}`;
}

/** @throws SealedSecretError when the text is malformed, was sealed with another key, for another row, or changed. */
export function openSecret(key: SecretsKey, sealedFor: SealedFor, text: string): string {
  const [version, keyId, nonceText, sealedText, ...rest] = text.split('.');
  if (version !== 'v1' || nonceText === undefined || sealedText === undefined || rest.length > 0)
    throw new SealedSecretError('sealed secret is malformed');
  if (keyId !== key.keyId)
    throw new SealedSecretError(`secret was sealed with key ${keyId}, SECRETS_KEY is key ${key.keyId}`);
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

function authenticated(key: SecretsKey, { tenantId, endpointId, field }: SealedFor): Buffer {
  return Buffer.from(['v1', key.keyId, tenantId, endpointId, field].join('\n'));
}
