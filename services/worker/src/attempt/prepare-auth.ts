import { createTlsIdentity, type TlsIdentity } from '@posthorn/egress';
import {
  basicCredentials,
  type EndpointConfig,
  type ReceiverAuth,
  tlsPartsOf,
} from '@posthorn/tenant-config';
import { credentialsOfClient, prepareGrant, type TokenGrant } from './token-grant.ts';

/** How an endpoint's requests are authorised: made once for a configuration. */
export interface PreparedAuth {
  readonly kind: 'ready';
  /** How its token is had; null where it needs none. */
  readonly grant: TokenGrant | null;
  readonly tls: TlsIdentity | undefined;
  /** What of it nobody is to read. */
  readonly secrets: readonly string[];
}

export type AuthFault = { readonly kind: 'invalid'; readonly detail: string };

const NONE: PreparedAuth = { kind: 'ready', grant: null, tls: undefined, secrets: [] };

/**
 * @param senderHeaders what every request of ours says of its sender
 * @throws SealedSecretError when what is sealed cannot be opened with the keys of this process.
 */
export function prepareAuth(
  endpoint: Pick<EndpointConfig, 'endpointId' | 'tenantId' | 'auth' | 'tls'>,
  senderHeaders: readonly string[],
): PreparedAuth | AuthFault {
  const { auth, tls: parts } = endpoint;
  if (!auth && !parts) return NONE;
  const own = parts ? createTlsIdentity(tlsPartsOf(parts)) : null;
  if (own?.ok === false) return invalid(`the certificates are not usable: ${own.part} ${own.detail}`);
  const tls = own?.identity;
  if (!auth) return { ...NONE, tls };
  const ready = { ...NONE, tls, secrets: secretsOf(auth) };
  if (auth.type !== 'oauth2_client_credentials') return ready;
  const grant = prepareGrant(endpoint, auth, { senderHeaders, tls });
  return grant === null ? invalid('the token URL is not an http(s) URL') : { ...ready, grant };
}

const invalid = (detail: string): AuthFault => ({ kind: 'invalid', detail });

function secretsOf(auth: ReceiverAuth): readonly string[] {
  switch (auth.type) {
    case 'bearer':
      return [auth.token];
    case 'api_key':
      return [auth.value];
    case 'basic':
      return [basicCredentials(auth.username, auth.password), auth.password];
    case 'oauth2_client_credentials':
      return [auth.client_secret, credentialsOfClient(auth)];
    default:
      return auth satisfies never;
  }
}
