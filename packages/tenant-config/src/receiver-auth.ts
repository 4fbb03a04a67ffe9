/** How requests prove to their receiver who sends them. */
export type ReceiverAuth =
  | { readonly type: 'bearer'; readonly token: string }
  | { readonly type: 'api_key'; readonly header: string; readonly value: string }
  | { readonly type: 'basic'; readonly username: string; readonly password: string }
  | OAuth2ClientCredentials;

/** RFC 6749 section 4.4. */
export interface OAuth2ClientCredentials {
  readonly type: 'oauth2_client_credentials';
  readonly token_url: string;
  readonly client_id: string;
  readonly client_secret: string;
  readonly scope?: string;
  readonly audience?: string;
  /** How the client's id and secret are given: in an Authorization header, which is the default, or in the body. */
  readonly auth_style?: 'basic' | 'body';
}

/** Certificates as PEM; `client_key` goes with `client_certificate`. */
export interface ReceiverTls {
  readonly ca?: string;
  readonly client_certificate?: string;
  readonly client_key?: string;
}

/** The fields that they are sealed for, each as one JSON text with the names of the API. */
export const AUTH_FIELD = 'auth';
export const TLS_FIELD = 'tls';

const MEMBERS: Readonly<Record<ReceiverAuth['type'], readonly string[]>> = {
  bearer: ['token'],
  api_key: ['header', 'value'],
  basic: ['username', 'password'],
  oauth2_client_credentials: ['token_url', 'client_id', 'client_secret'],
};

/**
 * Of a text that was sealed, so of one that a release of ours has written.
 * @throws Error when it is of no known type: a later release may know it, so nothing is sent in its place.
 */
export function readAuth(text: string): ReceiverAuth {
  const auth = JSON.parse(text) as ReceiverAuth;
  const members = Object.hasOwn(MEMBERS, auth.type) ? MEMBERS[auth.type] : null;
  const isWhole = members?.every((name) => typeof auth[name as keyof ReceiverAuth] === 'string');
  if (!isWhole)
    throw new Error('the authentication of the endpoint is of a type that this release does not know');
  return auth;
}

export const readTls = (text: string): ReceiverTls => JSON.parse(text) as ReceiverTls;

/** The header that carries it; null where a token has to be had first. `basic` is RFC 7617 in UTF-8. */
export function authHeaderOf(auth: ReceiverAuth): readonly [name: string, value: string] | null {
  switch (auth.type) {
    case 'bearer':
      return ['authorization', `Bearer ${auth.token}`];
    case 'api_key':
      return [auth.header.toLowerCase(), auth.value];
    case 'basic':
      return [
        'authorization',
        `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`,
      ];
    case 'oauth2_client_credentials':
      return null;
    default:
      return auth satisfies never;
  }
}
