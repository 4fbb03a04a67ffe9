import type { EndpointRow, NewSigningKey } from '@posthorn/db';
import { type KeyRing, sealSecret } from '@posthorn/secrets';
import { generatePrivateKey, parsePrivateKey } from '@posthorn/signing';
import { ED25519_KEY_FIELD } from '@posthorn/tenant-config';

/** A new ed25519 key for an endpoint: the private half leaves this function sealed only. */
export function makeSigningKey(
  keyRing: KeyRing,
  { tenantId, endpointId }: Pick<EndpointRow, 'tenantId' | 'endpointId'>,
): NewSigningKey {
  const text = generatePrivateKey();
  const parsed = parsePrivateKey(text);
  if (!parsed.ok) throw new Error(`a private key that was just made is refused: ${parsed.reason}`);
  const sealed = sealSecret(keyRing, { tenantId, endpointId, field: ED25519_KEY_FIELD }, text);
  return { sealed, publicKey: parsed.key.publicKey };
}
