import { isDeepStrictEqual } from 'node:util';
import type { EndpointAuth, EndpointRow } from '@posthorn/db';
import { createTlsIdentity, type TlsIdentityFault } from '@posthorn/egress';
import { type KeyRing, openSecret, SealedSecretError, sealSecret } from '@posthorn/secrets';
import { AUTH_FIELD, TLS_FIELD, tlsPartsOf } from '@posthorn/tenant-config';
import { type Fault, invalidRequest, type Problem } from '../../http/problem.ts';
import { pointerTo } from '../../http/validation.ts';
import {
  authFaults,
  type GivenAuth,
  type GivenTls,
  headerOfAuth,
  keepsSecret,
  SECRET_MEMBER,
} from './auth-fields.ts';
import { MASKED_VALUE } from './header-rules.ts';

export interface Sealing {
  readonly keyRing: KeyRing;
  readonly urlFault: (url: string) => string | null;
  /** What the names of our headers begin with. */
  readonly signatureHeaderPrefix: string;
}

/** Whose they are, and what is stored of them. */
export type StoredAuth = Pick<EndpointRow, 'tenantId' | 'endpointId'> & EndpointAuth;

type Sealed<Name extends keyof EndpointAuth> = Partial<Pick<EndpointAuth, Name>> | Problem;

/** What is stored and shown of what was given; nothing where nothing was. */
export function sealAuth(
  { keyRing, urlFault }: Sealing,
  of: StoredAuth,
  given: GivenAuth | null | undefined,
): Sealed<'auth' | 'sealedAuth'> {
  if (given === undefined) return {};
  if (given === null) return { auth: null, sealedAuth: null };
  const faults = authFaults(given, urlFault);
  if (faults.length > 0) return invalidRequest(faults);
  const secret = SECRET_MEMBER[given.type];
  const whole = given.header === undefined ? given : { ...given, header: headerOfAuth(given) };
  const auth = { ...whole, [secret]: MASKED_VALUE };
  if (!keepsSecret(given)) return { auth, sealedAuth: seal(keyRing, of, AUTH_FIELD, whole) };
  if (of.auth?.type !== given.type) return refused('auth', secret, NOTHING_STORED);
  if (isDeepStrictEqual(of.auth, auth)) return { auth, sealedAuth: of.sealedAuth };
  if (originOf(given.token_url) !== originOf(of.auth.token_url)) {
    const says = `must be given anew with a token URL of another server: the stored one is for ${originOf(of.auth.token_url)}`;
    return refused('auth', secret, says);
  }
  const stored = open(keyRing, of, AUTH_FIELD, of.sealedAuth!)?.[secret];
  if (stored === undefined) return refused('auth', secret, CANNOT_OPEN);
  return { auth, sealedAuth: seal(keyRing, of, AUTH_FIELD, { ...whole, [secret]: stored }) };
}

const originOf = (url: string | undefined): string => (url === undefined ? '' : new URL(url).origin);

/** The same of certificates. */
export function sealTls(
  { keyRing }: Sealing,
  of: StoredAuth,
  given: GivenTls | null | undefined,
): Sealed<'tls' | 'sealedTls'> {
  if (given === undefined) return {};
  if (given === null) return { tls: null, sealedTls: null };
  const tls = given.client_key === undefined ? { ...given } : { ...given, client_key: MASKED_VALUE };
  const keeps = given.client_key === MASKED_VALUE;
  if (keeps && of.tls?.client_key === undefined) return refused('tls', 'client_key', NOTHING_STORED);
  if (keeps && isDeepStrictEqual(of.tls, tls)) return { tls, sealedTls: of.sealedTls };
  const key = keeps ? open(keyRing, of, TLS_FIELD, of.sealedTls!)?.client_key : given.client_key;
  if (keeps && key === undefined) return refused('tls', 'client_key', CANNOT_OPEN);
  const whole = key === undefined ? given : { ...given, client_key: key };
  const checked = createTlsIdentity(tlsPartsOf(whole));
  if (!checked.ok) return refused('tls', TLS_MEMBER[checked.part], checked.detail);
  return { tls, sealedTls: seal(keyRing, of, TLS_FIELD, whole) };
}

const TLS_MEMBER: Readonly<Record<TlsIdentityFault['part'], keyof GivenTls>> = {
  ca: 'ca',
  cert: 'client_certificate',
  key: 'client_key',
};

const NOTHING_STORED = `is "${MASKED_VALUE}", but no value of it is stored`;
const CANNOT_OPEN =
  'must be given anew: the stored value cannot be opened with the keys of this installation';

function refused(field: 'auth' | 'tls', member: string, detail: string): Problem {
  const fault: Fault = { pointer: pointerTo(field, member), detail };
  return invalidRequest([fault]);
}

function seal(keyRing: KeyRing, { tenantId, endpointId }: StoredAuth, field: string, whole: object): string {
  return sealSecret(keyRing, { tenantId, endpointId, field }, JSON.stringify(whole));
}

/** Null where the key that it was sealed with is lost. */
function open(
  keyRing: KeyRing,
  { tenantId, endpointId }: StoredAuth,
  field: string,
  sealed: string,
): Record<string, string> | null {
  try {
    return JSON.parse(openSecret(keyRing, { tenantId, endpointId, field }, sealed));
  } catch (error) {
    if (error instanceof SealedSecretError) return null;
    throw error;
  }
}
