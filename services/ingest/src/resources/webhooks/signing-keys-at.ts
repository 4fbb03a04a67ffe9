import { parseSigningKey, type SigningKey } from '@posthorn/signing';
import { type EndpointConfig, signersOf } from '@posthorn/tenant-config';

/** What signs an endpoint's requests at a time: the worker signs with the same. @throws SealedSecretError */
export const signingKeysAt = (endpoint: EndpointConfig, atMs: number): SigningKey[] =>
  signersOf(endpoint)
    .filter(({ expiresAtMs }) => expiresAtMs === null || atMs < expiresAtMs)
    .flatMap(({ scheme, text }) => {
      const parsed = parseSigningKey(scheme, text);
      return parsed.ok ? [parsed.key] : [];
    });
