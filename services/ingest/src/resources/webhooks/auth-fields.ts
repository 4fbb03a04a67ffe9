import { MAX_URL_CHARACTERS } from '@posthorn/egress';
import type { ReceiverAuth } from '@posthorn/tenant-config';
import Type, { type Static } from 'typebox';
import type { Fault } from '../../http/problem.ts';
import { pointerTo } from '../../http/validation.ts';
import { headersFault, MASKED_VALUE } from './header-rules.ts';

/** How a webhook's requests prove who sends them: what a request may give, and what is wrong with it. */

const MAX_TOKEN_CHARS = 4_096;
const MAX_CREDENTIAL_CHARS = 1_024;
const MAX_CA_CHARS = 16_384;
const MAX_KEY_CHARS = 8_192;

type AuthType = ReceiverAuth['type'];
const TYPES: AuthType[] = ['bearer', 'api_key', 'basic', 'oauth2_client_credentials'];

const secret = (what: string, maxLength: number) =>
  Type.Optional(
    Type.String({ maxLength, description: `${what}. Sealed, and always shown as \`${MASKED_VALUE}\`.` }),
  );
const text = (description: string, maxLength = MAX_CREDENTIAL_CHARS) =>
  Type.Optional(Type.String({ maxLength, description }));

const MEMBERS = {
  type: Type.Enum(TYPES, {
    description:
      '`bearer`: `token`. `api_key`: `header`, `value`. `basic`: `username`, `password`. `oauth2_client_credentials`: `token_url`, `client_id`, `client_secret` and, where the server asks for them, `scope`, `audience`, `auth_style`.',
  }),
  token: secret('Of `bearer`: the token', MAX_TOKEN_CHARS),
  header: text('Of `api_key`: the name of the header, as in `headers`.'),
  value: secret('Of `api_key`: the value of the header', MAX_CREDENTIAL_CHARS),
  username: text('Of `basic`, without a colon. It is shown.'),
  password: secret('Of `basic`', MAX_CREDENTIAL_CHARS),
  token_url: text('Of OAuth2: where tokens are asked for; judged as `url` is.', MAX_URL_CHARACTERS),
  client_id: text('Of OAuth2. It is shown.'),
  client_secret: secret('Of OAuth2', MAX_CREDENTIAL_CHARS),
  scope: text('Of OAuth2: scopes, with spaces between them.'),
  audience: text('Of OAuth2: what some servers want to know of a token.'),
  auth_style: Type.Optional(
    Type.Enum(['basic', 'body'], {
      description:
        'Of OAuth2: where id and secret go, in an `Authorization` header (`basic`, the default) or in the body.',
    }),
  ),
};
const EXAMPLE = {
  type: 'oauth2_client_credentials',
  token_url: 'https://login.example.com/oauth2/token',
  client_id: 'posthorn',
  client_secret: MASKED_VALUE,
} as const;

const AUTH = {
  title: 'WebhookAuth',
  additionalProperties: false,
  description:
    'How requests prove to the receiver who sends them, beside their signature: what is named here is sent in a header. Secrets are sealed; given back as `***` the stored one stays, but none goes along to another server.',
  examples: [EXAMPLE],
};
export const Auth = Type.Object(MEMBERS, AUTH);
export type GivenAuth = Static<typeof Auth>;

const pem = (description: string, maxLength = MAX_CA_CHARS) =>
  Type.Optional(Type.String({ minLength: 1, maxLength, description }));

export const Tls = Type.Object(
  {
    ca: pem(
      'Certificates of the authorities that alone are trusted for this webhook, as PEM. Left out: those of the system.',
    ),
    client_certificate: pem(
      'Shown to a receiver that asks for one (mutual TLS), as PEM, its intermediates after it.',
    ),
    client_key: pem(
      `Its private key, as PEM, not encrypted. Sealed, and always shown as \`${MASKED_VALUE}\`.`,
      MAX_KEY_CHARS,
    ),
  },
  {
    title: 'WebhookTls',
    additionalProperties: false,
    minProperties: 1,
    description: 'Certificates of an `https` webhook’s own; the token URL is asked with them too.',
    examples: [{ client_certificate: '-----BEGIN CERTIFICATE-----\n…', client_key: MASKED_VALUE }],
  },
);
export type GivenTls = Static<typeof Tls>;

/** The member that is secret. */
export const SECRET_MEMBER = {
  bearer: 'token',
  api_key: 'value',
  basic: 'password',
  oauth2_client_credentials: 'client_secret',
} as const satisfies Record<AuthType, keyof GivenAuth>;

const OPTIONAL = ['scope', 'audience', 'auth_style'] as const;
const REQUIRED: Readonly<Record<AuthType, readonly (keyof GivenAuth)[]>> = {
  bearer: ['token'],
  api_key: ['header', 'value'],
  basic: ['username', 'password'],
  oauth2_client_credentials: ['token_url', 'client_id', 'client_secret'],
};

/** Visible ASCII: what a header can carry (RFC 9110 section 5.5), and no separator. */
const VISIBLE = /^[\u0021-\u007e]+$/;
/** RFC 6749 appendix A: what ids, secrets and audiences are made of. */
const PRINTABLE = /^[\u0020-\u007e]+$/;
/** RFC 6749 section 3.3. */
const SCOPE = /^[\u0021\u0023-\u005b\u005d-\u007e]+( [\u0021\u0023-\u005b\u005d-\u007e]+)*$/;
/** RFC 7617 section 2: no control characters, and the first colon ends the name. */
const BASIC_TEXT = /^[^\p{Cc}\p{Cs}]+$/u;

const PRINTABLE_RULE = 'must be printable ASCII';
type Rule = readonly [pattern: RegExp, says: string];
const RULES: Partial<Record<keyof GivenAuth, Rule>> = {
  token: [VISIBLE, 'must be visible ASCII, without spaces'],
  username: [/^[^\p{Cc}\p{Cs}:]+$/u, 'must be without colons and control characters'],
  password: [BASIC_TEXT, 'must be without control characters'],
  client_id: [PRINTABLE, PRINTABLE_RULE],
  client_secret: [PRINTABLE, PRINTABLE_RULE],
  scope: [SCOPE, 'must be scopes of visible ASCII without quotes and backslashes, with a space between them'],
  audience: [PRINTABLE, PRINTABLE_RULE],
};

/** Everything that is wrong with it. Values are never quoted. */
export function authFaults(auth: GivenAuth, urlFault: (url: string) => string | null): Fault[] {
  const { type } = auth;
  const at = (name: string, detail: string): Fault => ({ pointer: pointerTo('auth', name), detail });
  const missing = REQUIRED[type].filter((name) => auth[name] === undefined || auth[name] === '');
  const allowed: readonly string[] = ['type', ...REQUIRED[type], ...optionalOf(type)];
  const foreign = Object.keys(auth).filter((name) => !allowed.includes(name));
  const malformed = Object.entries(RULES).filter(([name, [pattern]]) => {
    const value = auth[name as keyof GivenAuth];
    return value !== undefined && !missing.includes(name as keyof GivenAuth) && !pattern.test(value);
  });
  return [
    ...missing.map((name) => at(name, 'is required')),
    ...foreign.map((name) => at(name, `is not of the type ${type}`)),
    ...malformed.map(([name, [, says]]) => at(name, says)),
    ...headerFaults(auth, at),
    ...tokenUrlFaults(auth, urlFault, at),
  ];
}

const optionalOf = (type: AuthType): readonly string[] =>
  type === 'oauth2_client_credentials' ? OPTIONAL : [];

type At = (name: string, detail: string) => Fault;

function headerFaults({ header, value }: GivenAuth, at: At): Fault[] {
  if (!header || !value) return [];
  const fault = headersFault({ [header]: value });
  return fault === null ? [] : [at('header', fault)];
}

function tokenUrlFaults(
  { token_url: url }: GivenAuth,
  urlFault: (url: string) => string | null,
  at: At,
): Fault[] {
  const fault = url ? urlFault(url) : null;
  return fault === null ? [] : [at('token_url', fault)];
}

/** In lower case. */
export const headerOfAuth = (auth: { readonly header?: string | undefined }): string =>
  auth.header?.toLowerCase() ?? 'authorization';

export const keepsSecret = (auth: GivenAuth): boolean => auth[SECRET_MEMBER[auth.type]] === MASKED_VALUE;
