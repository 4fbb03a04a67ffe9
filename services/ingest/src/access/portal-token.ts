import { isTenantId, type Labels } from '@posthorn/contracts';
import { type DerivedKeys, deriveKeys, type KeyRing } from '@posthorn/secrets';
import { errors, jwtVerify, SignJWT } from 'jose';
import type { Scope } from './caller.ts';

/** What a portal token says; RFC 7519 claims carry it. */
export interface PortalGrant {
  readonly tokenId: string;
  readonly tenantId: string;
  readonly scopes: readonly PortalScope[];
  /** Null: all endpoints of the tenant. */
  readonly labels: Labels | null;
  /** The person it is for. */
  readonly name: string | null;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

export type PortalScope = Extract<Scope, 'read' | 'manage'>;

export interface PortalTokens {
  issue(grant: PortalGrant): Promise<string>;
  /** Null for one that is not ours, was altered, has ended, or is spelled in another way than we do. */
  read(token: string, nowMs: number): Promise<PortalGrant | null>;
}

export const MIN_TTL_S = 60;
export const DEFAULT_TTL_S = 3_600;
export const MAX_TTL_S = 86_400;
export const MAX_TOKEN_CHARS = 4_096;
/** Of labels and name as JSON: a third is added on the way into the token, and what stands in every one. */
export const MAX_GIVEN_BYTES = 2_048;

const ALGORITHM = 'HS256';
const ISSUER = 'posthorn';
const AUDIENCE = 'posthorn-portal';
const TYPE = 'JWT';
const KEY_USE = 'posthorn portal tokens v1';
/** By how much the clocks of Postgres, which issues, and of a replica may differ. */
const CLOCK_TOLERANCE_S = 5;

/** A JWT's header is a JSON object: `{"` in base64url. No key that we mint begins so. */
const LOOKS_LIKE_TOKEN = /^eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;
export const looksLikeToken = (text: string): boolean => LOOKS_LIKE_TOKEN.test(text);

/**
 * Signed under a key of the installation's own, with one algorithm: what a token's header asks for is compared, never
 * followed. Issued with the key of the ring that seals, read with any: tokens outlive a change of keys.
 */
export function createPortalTokens(keyRing: KeyRing): PortalTokens {
  const keys = deriveKeys(keyRing, KEY_USE);
  return {
    issue: ({ tokenId, tenantId, scopes, labels, name, issuedAtMs, expiresAtMs }) =>
      new SignJWT({ scope: scopes.join(' '), ...(labels ? { labels } : {}), ...(name ? { name } : {}) })
        .setProtectedHeader({ alg: ALGORITHM, typ: TYPE })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(tenantId)
        .setJti(tokenId)
        .setIssuedAt(issuedAtMs / 1_000)
        .setExpirationTime(expiresAtMs / 1_000)
        .sign(keys[0]),
    async read(token, nowMs) {
      if (token.length > MAX_TOKEN_CHARS || !isSpelledOurWay(token)) return null;
      const claims = await verify(token, keys, nowMs);
      return claims && toGrant(claims);
    },
  };
}

/** The claims of a token that one of the keys has signed; the first fault but a bad signature is the last word. */
async function verify(
  token: string,
  keys: DerivedKeys,
  nowMs: number,
): Promise<Record<string, unknown> | null> {
  for (const key of keys) {
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        audience: AUDIENCE,
        typ: TYPE,
        requiredClaims: ['sub', 'jti', 'iat', 'exp', 'scope'],
        maxTokenAge: MAX_TTL_S,
        clockTolerance: CLOCK_TOLERANCE_S,
        currentDate: new Date(nowMs),
      });
      return payload;
    } catch (error) {
      if (error instanceof errors.JWSSignatureVerificationFailed) continue;
      if (error instanceof errors.JOSEError) return null;
      throw error;
    }
  }
  return null;
}

/**
 * Base64url leaves bits over at the end of a text, and decoders ignore them: one signature has several spellings. Only
 * the one that an encoder writes is taken, so that a token is known by its text.
 */
const isSpelledOurWay = (token: string): boolean =>
  token.split('.').every((part) => Buffer.from(part, 'base64url').toString('base64url') === part);

/** It is signed by us: what does not fit was issued by another release. */
function toGrant(payload: Record<string, unknown>): PortalGrant | null {
  const { sub, jti, iat, exp, scope, labels = null, name = null } = payload;
  if (typeof sub !== 'string' || !isTenantId(sub) || typeof jti !== 'string') return null;
  if (typeof iat !== 'number' || typeof exp !== 'number' || exp - iat > MAX_TTL_S) return null;
  const scopes = typeof scope === 'string' ? scope.split(' ') : [];
  if (scopes.length === 0 || !scopes.every(isPortalScope)) return null;
  if (!isNullOrLabels(labels) || (name !== null && typeof name !== 'string')) return null;
  return {
    tokenId: jti,
    tenantId: sub,
    scopes,
    labels,
    name,
    issuedAtMs: Math.round(iat * 1_000),
    expiresAtMs: Math.round(exp * 1_000),
  };
}

const isPortalScope = (scope: string): scope is PortalScope => scope === 'read' || scope === 'manage';

function isNullOrLabels(labels: unknown): labels is Labels | null {
  if (labels === null) return true;
  return (
    typeof labels === 'object' && Object.values(labels as object).every((value) => typeof value === 'string')
  );
}
