import { hashKey } from '@posthorn/contracts';
import type { ApiKeyRow, PortalGuard } from '@posthorn/db';
import type { Clock } from '@posthorn/runtime';
import { type Problem, problem, retryAfter } from '../http/problem.ts';
import { type Caller, withIncluded } from './caller.ts';
import { createLookupCache, type Lookup } from './lookup-cache.ts';
import { looksLikeToken, MAX_TOKEN_CHARS, type PortalGrant, type PortalTokens } from './portal-token.ts';

export interface KeysOptions {
  /** Null for a key that is unknown, revoked or expired; rejects when Postgres does not answer. */
  readonly findKey: (keyHash: Buffer) => Promise<ApiKeyRow | null>;
  /** Null for a tenant that there is not; rejects when Postgres does not answer. */
  readonly findPortalGuard: (tenantId: string) => Promise<PortalGuard | null>;
  readonly tokens: PortalTokens;
  /** Whether Postgres answered lately. */
  readonly isDatabaseUp: () => boolean;
  readonly reportDatabaseDown: () => void;
  readonly clock: Clock;
  readonly maxKeys: number;
  /** How long a key is believed without asking while Postgres is away. */
  readonly maxAgeMs: number;
}

export interface Keys {
  /** The caller of an `Authorization` header, at once when the key was looked up lately. */
  authenticate(header: string | undefined): Caller | Problem | Promise<Caller | Problem>;
  readonly size: number;
}

const MAX_KEY_CHARS = 256;
const BEARER = new RegExp(`^bearer +([A-Za-z0-9._~+/=-]{16,${MAX_TOKEN_CHARS}}) *$`, 'i');

/** Keys are known by their hash, portal tokens by their signature and by what is revoked of their tenant's. */
export function createKeys(options: KeysOptions): Keys {
  const { clock, tokens, maxKeys, maxAgeMs } = options;
  const { isDatabaseUp, reportDatabaseDown } = options;
  const bounds = { isDatabaseUp, reportDatabaseDown, clock, maxAgeMs, maxEntries: maxKeys };
  const callers = createLookupCache<Caller>(bounds);
  const guards = createLookupCache<PortalGuard>(bounds);

  const answerKey = (found: Lookup<Caller>): Caller | Problem => {
    if (found.kind === 'unavailable') return UNAVAILABLE;
    if (found.kind === 'absent') return unauthenticated(UNKNOWN_KEY);
    const { expiresAtMs } = found.value;
    return expiresAtMs !== null && expiresAtMs <= clock.nowMs() ? unauthenticated(UNKNOWN_KEY) : found.value;
  };

  function findByKey(key: string): Caller | Problem | Promise<Caller | Problem> {
    const keyHash = hashKey(key);
    const found = callers.find(keyHash.toString('latin1'), async () => {
      const row = await options.findKey(keyHash);
      return row && toCaller(row);
    });
    return found instanceof Promise ? found.then(answerKey) : answerKey(found);
  }

  async function findByToken(token: string): Promise<Caller | Problem> {
    const grant = await tokens.read(token, clock.nowMs());
    if (!grant) return unauthenticated(BAD_TOKEN);
    const { tenantId, issuedAtMs } = grant;
    const guard = await guards.find(tenantId, () => options.findPortalGuard(tenantId));
    if (guard.kind === 'unavailable') return UNAVAILABLE;
    const isGood = guard.kind === 'found' && issuedAtMs > (guard.value.notBefore?.getTime() ?? 0);
    return isGood ? toPortalCaller(grant) : unauthenticated(BAD_TOKEN);
  }

  return {
    authenticate(header) {
      const key = header === undefined ? null : BEARER.exec(header)?.[1];
      if (!key) return unauthenticated(header === undefined ? NO_KEY : BAD_HEADER);
      if (looksLikeToken(key)) return findByToken(key);
      return key.length > MAX_KEY_CHARS ? unauthenticated(BAD_HEADER) : findByKey(key);
    },
    get size() {
      return callers.size + guards.size;
    },
  };
}

const toCaller = ({ keyId, kind, tenantId, scopes, expiresAt }: ApiKeyRow): Caller => ({
  keyId,
  kind,
  tenantId,
  scopes: withIncluded(scopes),
  labels: null,
  name: null,
  expiresAtMs: expiresAt?.getTime() ?? null,
});

const toPortalCaller = ({ tokenId, tenantId, scopes, labels, name, expiresAtMs }: PortalGrant): Caller => ({
  keyId: tokenId,
  kind: 'portal',
  tenantId,
  scopes: withIncluded(scopes),
  labels,
  name,
  expiresAtMs,
});

const NO_KEY = 'send the header Authorization: Bearer <key>';
const BAD_HEADER = 'the Authorization header is not "Bearer <key>"';
const UNKNOWN_KEY = 'the API key is unknown, revoked or expired';
const BAD_TOKEN = 'the token is not one of this installation, was revoked, or has expired';
const UNAVAILABLE = problem('database_unavailable', 'API keys cannot be looked up now', retryAfter(1));

function unauthenticated(detail: string): Problem {
  return problem('unauthenticated', detail, { headers: { 'www-authenticate': 'Bearer realm="posthorn"' } });
}
