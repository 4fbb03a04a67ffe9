import { createHash } from 'node:crypto';
import { type OutboundRequest, parseTarget, type TlsIdentity } from '@posthorn/egress';
import { basicCredentials, type EndpointConfig, type OAuth2ClientCredentials } from '@posthorn/tenant-config';

/** How an endpoint's token is asked for: made once for a configuration. */
export interface TokenGrant {
  /** The same for the same endpoint, server and credentials, and tells nothing of them. */
  readonly key: string;
  readonly request: OutboundRequest;
  readonly endpointId: string;
  readonly tenantId: string;
}

/** From the call to the last byte, whoever waits for it. */
export const TOKEN_DEADLINE_MS = 10_000;
export const MAX_TOKEN_ANSWER_BYTES = 32 * 1_024;

export interface GrantOptions {
  /** What every request of ours says of its sender: name, value, name, value. */
  readonly senderHeaders: readonly string[];
  readonly tls: TlsIdentity | undefined;
}

/** RFC 6749 section 4.4.2. Null when the token URL is none. */
export function prepareGrant(
  { endpointId, tenantId }: Pick<EndpointConfig, 'endpointId' | 'tenantId'>,
  auth: OAuth2ClientCredentials,
  { senderHeaders, tls }: GrantOptions,
): TokenGrant | null {
  const target = parseTarget(auth.token_url);
  if (target === null) return null;
  const inBody = auth.auth_style === 'body';
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    ...(auth.scope === undefined ? {} : { scope: auth.scope }),
    ...(auth.audience === undefined ? {} : { audience: auth.audience }),
    ...(inBody ? { client_id: auth.client_id, client_secret: auth.client_secret } : {}),
  });
  const headers = [
    'content-type',
    'application/x-www-form-urlencoded',
    'accept',
    'application/json',
    ...senderHeaders,
    ...(inBody ? [] : ['authorization', `Basic ${credentialsOfClient(auth)}`]),
  ];
  return {
    key: keyOf(tenantId, endpointId, auth, tls),
    request: {
      target,
      method: 'POST',
      headers,
      body: Buffer.from(body.toString()),
      deadlineMs: TOKEN_DEADLINE_MS,
      maxResponseBytes: MAX_TOKEN_ANSWER_BYTES,
      onBehalfOf: tenantId,
      tls,
    },
    endpointId,
    tenantId,
  };
}

/** RFC 6749 section 2.3.1: id and secret are encoded as of a form before they are joined. */
export const credentialsOfClient = ({ client_id, client_secret }: OAuth2ClientCredentials): string =>
  basicCredentials(encodeForm(client_id), encodeForm(client_secret));

const encodeForm = (text: string): string => new URLSearchParams({ _: text }).toString().slice('_='.length);

function keyOf(
  tenantId: string,
  endpointId: string,
  auth: OAuth2ClientCredentials,
  tls: TlsIdentity | undefined,
): string {
  const { token_url, client_id, client_secret, scope = '', audience = '', auth_style = '' } = auth;
  const parts = [
    tenantId,
    endpointId,
    token_url,
    client_id,
    client_secret,
    scope,
    audience,
    auth_style,
    tls?.id,
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}
