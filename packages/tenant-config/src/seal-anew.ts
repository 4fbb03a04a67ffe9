import type { SealedTexts } from '@posthorn/db';
import { isSealedAsNow, type KeyRing, openSecret, SealedSecretError, sealSecret } from '@posthorn/secrets';
import { AUTH_FIELD, TLS_FIELD } from './receiver-auth.ts';
import { ED25519_KEY_FIELD, headerField, SIGNING_SECRET_FIELD } from './sealed-parts.ts';

export interface SealedAnew {
  readonly texts: SealedTexts;
  /** Those that are sealed as they would be now already. */
  readonly kept: number;
  readonly sealed: number;
  /** Why the others do not open; they stay as they are. */
  readonly faults: readonly string[];
}

/** Whatever of an endpoint is sealed under another key, or in another form, than it would be now. */
export function sealAnew(ring: KeyRing, row: SealedTexts): SealedAnew {
  const { tenantId, endpointId } = row;
  const faults: string[] = [];
  let [kept, sealed] = [0, 0];
  const anew = (field: string, text: string): string => {
    if (isSealedAsNow(ring, text)) {
      kept += 1;
      return text;
    }
    try {
      const again = sealSecret(
        ring,
        { tenantId, endpointId, field },
        openSecret(ring, { tenantId, endpointId, field }, text),
      );
      sealed += 1;
      return again;
    } catch (error) {
      if (!(error instanceof SealedSecretError)) throw error;
      faults.push(`${field}: ${error.message}`);
      return text;
    }
  };
  const texts: SealedTexts = {
    tenantId,
    endpointId,
    sealedSecrets: row.sealedSecrets.map((text) => anew(SIGNING_SECRET_FIELD, text)),
    sealedSigningKeys: row.sealedSigningKeys.map((text) => anew(ED25519_KEY_FIELD, text)),
    sealedHeaders: Object.fromEntries(
      Object.entries(row.sealedHeaders).map(([name, text]) => [name, anew(headerField(name), text)]),
    ),
    sealedAuth: row.sealedAuth === null ? null : anew(AUTH_FIELD, row.sealedAuth),
    sealedTls: row.sealedTls === null ? null : anew(TLS_FIELD, row.sealedTls),
  };
  return { texts, kept, sealed, faults };
}
