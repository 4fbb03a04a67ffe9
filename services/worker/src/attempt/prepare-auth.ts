import { createTlsIdentity, type TlsIdentity, type TlsIdentityParts } from '@posthorn/egress';
import {
  authHeaderOf,
  type EndpointConfig,
  type ReceiverAuth,
  type ReceiverTls,
} from '@posthorn/tenant-config';
import { basicCredentials, credentialsOfClient, prepareGrant, type TokenGrant } from './token-grant.ts';

/** How an endpoint's requests are authorised: made once for a configuration. */
export interface PreparedAuth {
  readonly kind: 'ready';
  /** The header that says who sends; null where there is none, or it needs a token. */
  readonly header: readonly [name: string, value: string] | null;
  readonly grant: TokenGrant | null;
  readonly tls: TlsIdentity | undefined;
  /** What of it nobody is to read. */
  readonly secrets: readonly string[];
}

export type AuthFault = { readonly kind: 'invalid'; readonly detail: string };

const NONE: PreparedAuth = { kind: 'ready', header: null, grant: null, tls: undefined, secrets: [] };

/**
 * @param ownHeaders what every request of ours says of its sender
 * @throws SealedSecretError when what is sealed cannot be opened with the keys of this process.
 */
export function prepareAuth(
  endpoint: Pick<EndpointConfig, 'endpointId' | 'tenantId' | 'auth' | 'tls'>,
  ownHeaders: readonly string[],
): PreparedAuth | AuthFault {
  const { auth, tls: parts } = endpoint;
  if (!auth && !parts) return NONE;
  const own = parts ? createTlsIdentity(toIdentityParts(parts)) : null;
  if (own?.ok === false) return invalid(`the certificates are not usable: ${own.part} ${own.detail}`);
  const tls = own?.identity;
  if (!auth) return { ...NONE, tls };
  const ready = { ...NONE, tls, header: authHeaderOf(auth), secrets: secretsOf(auth) };
  if (auth.type !== 'oauth2_client_credentials') return ready;
  const grant = prepareGrant(endpoint, auth, { ownHeaders, tls });
  return grant === null ? invalid('the token URL is not an http(s) URL') : { ...ready, grant };
}

const invalid = (detail: string): AuthFault => ({ kind: 'invalid', detail });

const toIdentityParts = ({
  ca,
  client_certificate: cert,
  client_key: key,
}: ReceiverTls): TlsIdentityParts => ({
  ca,
  cert,
  key,
});

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
