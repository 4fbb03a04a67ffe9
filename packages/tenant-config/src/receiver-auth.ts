import { isOurHeader } from '@posthorn/contracts';

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
  const auth = readJson(text) as ReceiverAuth;
  const members = Object.hasOwn(MEMBERS, auth.type) ? MEMBERS[auth.type] : null;
  const isWhole = members?.every((name) => typeof auth[name as keyof ReceiverAuth] === 'string');
  if (!isWhole)
    throw new Error('the authentication of the endpoint is of a type that this release does not know');
  return auth;
}

/** @throws Error when it is no JSON object. */
export const readTls = (text: string): ReceiverTls => readJson(text);

/** Says nothing of the text, as the parser's own error would: it is secret, and errors are logged. */
function readJson(text: string): object {
  let value: unknown = null;
  try {
    value = JSON.parse(text);
  } catch {}
  if (typeof value === 'object' && value !== null) return value;
  throw new Error('what was sealed for the endpoint is no JSON object');
}

/** As TLS takes them: PEM of the authorities, of the client's certificate and of its key. */
export const tlsPartsOf = ({ ca, client_certificate: cert, client_key: key }: ReceiverTls) => ({
  ca,
  cert,
  key,
});

/** An endpoint's own headers, names in lower case. */
export type OwnHeaders = readonly (readonly [name: string, value: string])[];

/**
 * What requests carry of the endpoint's own: its headers, and the one that authenticates them. Those that were taken
 * when another prefix was in force and are ours under this one are left out: ours are the ones that count.
 */
export function ownHeadersOf(
  { headers, auth }: { readonly headers: OwnHeaders; readonly auth?: ReceiverAuth | null },
  prefix: string,
): OwnHeaders {
  const authHeader = auth ? authHeaderOf(auth) : null;
  const own = authHeader === null ? headers : [...headers, authHeader];
  return own.filter(([name]) => !isOurHeader(prefix, name));
}

/** RFC 7617, in UTF-8. */
export const basicCredentials = (username: string, password: string): string =>
  Buffer.from(`${username}:${password}`).toString('base64');

/** The header that carries it; null where a token has to be had first. */
function authHeaderOf(auth: ReceiverAuth): readonly [name: string, value: string] | null {
  switch (auth.type) {
    case 'bearer':
      return ['authorization', `Bearer ${auth.token}`];
    case 'api_key':
      return [auth.header.toLowerCase(), auth.value];
    case 'basic':
      return ['authorization', `Basic ${basicCredentials(auth.username, auth.password)}`];
    case 'oauth2_client_credentials':
      return null;
    default:
      return auth satisfies never;
  }
}
