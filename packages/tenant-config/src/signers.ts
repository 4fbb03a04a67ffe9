import type { SignatureScheme } from '@posthorn/db';
import type { EndpointSecret } from './sealed-parts.ts';
import type { EndpointConfig } from './tenant-config.ts';

export interface Signer extends EndpointSecret {
  readonly scheme: SignatureScheme;
}

/**
 * What signs an endpoint's requests, secrets first and of each kind the newest first: receivers that look at one
 * signature alone look at the first.
 * @throws SealedSecretError
 */
export function signersOf(endpoint: Signing): readonly Signer[] {
  const wanted = endpoint.signatures ?? ['v1'];
  const of = (scheme: SignatureScheme, held: readonly EndpointSecret[] | undefined) =>
    (held ?? []).map((secret) => ({ scheme, ...secret }));
  return [
    ...(wanted.includes('v1') ? of('v1', endpoint.secrets) : []),
    ...(wanted.includes('v1a') ? of('v1a', endpoint.signingKeys) : []),
  ];
}

type Signing = Pick<EndpointConfig, 'signatures' | 'secrets' | 'signingKeys'>;
