import { createTlsIdentity, type TlsIdentity } from '@posthorn/egress';
import type { EndpointConfig } from '@posthorn/tenant-config';
import { basicAuthorization, prepareGrant, type TokenGrant } from './token-grant.ts';

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
  let tls: TlsIdentity | undefined;
  if (parts) {
    const { ca, client_certificate: cert, client_key: key } = parts;
    const checked = createTlsIdentity({ ca, cert, key });
    if (!checked.ok)
      return {
        kind: 'invalid',
        detail: `the certificates are not usable: ${checked.part} ${checked.detail}`,
      };
    tls = checked.identity;
  }
  const ready = { ...NONE, tls };
  switch (auth?.type) {
    case undefined:
      return ready;
    case 'bearer':
      return { ...ready, header: ['authorization', `Bearer ${auth.token}`], secrets: [auth.token] };
    case 'api_key':
      return { ...ready, header: [auth.header, auth.value], secrets: [auth.value] };
    case 'basic': {
      const value = basicAuthorization(auth.username, auth.password);
      const secrets = [value.slice('Basic '.length), auth.password];
      return { ...ready, header: ['authorization', value], secrets };
    }
    case 'oauth2_client_credentials': {
      const grant = prepareGrant(endpoint, auth, { ownHeaders, tls });
      return grant
        ? { ...ready, grant, secrets: [auth.client_secret] }
        : { kind: 'invalid', detail: 'the token URL is not an http(s) URL' };
    }
    default:
      return auth satisfies never;
  }
}
