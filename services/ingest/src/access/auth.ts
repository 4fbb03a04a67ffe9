import { hash, randomBytes } from 'node:crypto';
import type { ApiKeyRow } from '@posthorn/db';
import type { Clock } from '@posthorn/runtime';
import { type Problem, problem, retryAfter } from '../http/problem.ts';
import { type Caller, withIncluded } from './caller.ts';

export { type Caller, mayActFor } from './caller.ts';

export interface MintedKey {
  readonly keyId: string;
  /** Shown once, never stored. */
  readonly key: string;
  readonly keyHash: Buffer;
}

const KEY_BYTES = 32;
const PREFIX = { operator: 'phk_op_', tenant: 'phk_tn_' } as const;

export function mintKey(kind: ApiKeyRow['kind'], random: (bytes: number) => Buffer = randomBytes): MintedKey {
  const key = PREFIX[kind] + random(KEY_BYTES).toString('base64url');
  return { keyId: `key_${random(8).toString('hex')}`, key, keyHash: hashKey(key) };
}

export const hashKey = (key: string): Buffer => hash('sha256', key, 'buffer');

export interface KeysOptions {
  /** Null for a key that is unknown, revoked or expired; rejects when Postgres does not answer. */
  readonly findKey: (keyHash: Buffer) => Promise<ApiKeyRow | null>;
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

interface Entry {
  /** Null: no such key. */
  caller: Caller | null;
  checkedAtMs: number;
}

/** A revoked key stops within this time while Postgres answers. */
export const FRESH_MS = 5_000;
/** A key in use is looked up again behind the caller's back, so that nobody waits for it. */
const REFRESH_AFTER_MS = 2_000;
export const MAX_LOOKUPS_UNDER_WAY = 64;

const BEARER = /^bearer +([A-Za-z0-9._~+/=-]{16,256}) *$/i;

/**
 * Looks keys up by their hash and remembers the answers; those least recently looked up make room. Unknown keys are
 * remembered apart, and only lookups of keys never seen are bounded, so that guessing takes nothing from those who
 * have a key. An answer is *fresh* (2 s), then *refreshing* (used while it is asked for again, up to 5 s), then *old*: a
 * request waits for the lookup, or, while Postgres is away, takes the old answer up to `maxAgeMs`.
 */
export function createKeys(options: KeysOptions): Keys {
  const { clock, maxKeys, maxAgeMs } = options;
  const known = new Map<string, Entry>();
  const unknown = new Map<string, Entry>();
  const underWay = new Map<string, Promise<Entry | null>>();

  function remember(id: string, caller: Caller | null): Entry {
    const entry = { caller, checkedAtMs: clock.monotonicMs() };
    const entries = caller ? known : unknown;
    known.delete(id);
    unknown.delete(id);
    entries.set(id, entry);
    if (entries.size > maxKeys) entries.delete(entries.keys().next().value!);
    return entry;
  }

  async function ask(id: string, keyHash: Buffer): Promise<Entry | null> {
    try {
      const row = await options.findKey(keyHash);
      return remember(id, row && toCaller(row));
    } catch {
      options.reportDatabaseDown();
      return null;
    } finally {
      underWay.delete(id);
    }
  }

  /** Null when it cannot be known now. */
  function lookUp(id: string, keyHash: Buffer): Promise<Entry | null> | null {
    const asked = underWay.get(id);
    if (asked) return asked;
    if (!known.has(id) && underWay.size >= MAX_LOOKUPS_UNDER_WAY) return null;
    const lookup = ask(id, keyHash);
    underWay.set(id, lookup);
    return lookup;
  }

  function answerOf({ caller }: Entry): Caller | Problem {
    if (caller === null) return unauthenticated(UNKNOWN);
    const hasEnded = caller.expiresAtMs !== null && caller.expiresAtMs <= clock.nowMs();
    return hasEnded ? unauthenticated(UNKNOWN) : caller;
  }

  function lastResort(entry: Entry | undefined): Caller | Problem {
    if (entry?.caller && clock.monotonicMs() - entry.checkedAtMs <= maxAgeMs) return answerOf(entry);
    return problem('database_unavailable', 'API keys cannot be looked up now', retryAfter(1));
  }

  return {
    authenticate(header) {
      const key = header === undefined ? null : BEARER.exec(header)?.[1];
      if (!key) return unauthenticated(header === undefined ? NO_KEY : BAD_HEADER);
      const keyHash = hashKey(key);
      const id = keyHash.toString('latin1');
      const entry = known.get(id) ?? unknown.get(id);
      const ageMs = entry ? clock.monotonicMs() - entry.checkedAtMs : Number.POSITIVE_INFINITY;
      if (entry && ageMs <= FRESH_MS) {
        if (ageMs > REFRESH_AFTER_MS && options.isDatabaseUp()) void lookUp(id, keyHash);
        return answerOf(entry);
      }
      if (!options.isDatabaseUp()) return lastResort(entry);
      const lookup = lookUp(id, keyHash);
      if (!lookup) return lastResort(entry);
      return lookup.then((found) => (found ? answerOf(found) : lastResort(entry)));
    },
    get size() {
      return known.size + unknown.size;
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

const NO_KEY = 'send the header Authorization: Bearer <key>';
const BAD_HEADER = 'the Authorization header is not "Bearer <key>"';

const UNKNOWN = 'the API key is unknown, revoked or expired';

function unauthenticated(detail: string): Problem {
  return problem('unauthenticated', detail, { headers: { 'www-authenticate': 'Bearer realm="posthorn"' } });
}
