import { hashKey, mintKey } from '@posthorn/contracts';
import type { ApiKeyRow } from '@posthorn/db';
import { parseKeyRing } from '@posthorn/secrets';
import { createFakeClock } from '@posthorn/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { createKeys, type Keys } from './auth.ts';
import { FRESH_MS, MAX_LOOKUPS_UNDER_WAY } from './lookup-cache.ts';
import { createPortalTokens, type PortalGrant } from './portal-token.ts';

const KEY = 'phk_tn_0123456789abcdef';
const ROW: ApiKeyRow = {
  keyId: 'key_1',
  kind: 'tenant',
  tenantId: 'acme',
  scopes: ['manage'],
  expiresAt: null,
};
const CALLER = expect.objectContaining({ keyId: 'key_1', tenantId: 'acme', labels: null });
const MAX_AGE_MS = 60_000;

interface Setup {
  readonly keys: Keys;
  readonly clock: ReturnType<typeof createFakeClock>;
  readonly known: Map<string, ApiKeyRow>;
  lookups: number;
  isAway: boolean;
  /** As the watch sees it. */
  isUp: boolean;
  /** Tokens of acme that were issued until then are revoked. */
  notBefore: Date | null;
}

const tokens = createPortalTokens(parseKeyRing(Buffer.alloc(32).toString('base64')));
let bundle: Setup;
beforeEach(() => {
  const clock = createFakeClock();
  const known = new Map([[hashKey(KEY).toString('hex'), ROW]]);
  const state = { lookups: 0, isAway: false, isUp: true, notBefore: null as Date | null };
  const keys = createKeys({
    async findKey(keyHash) {
      state.lookups += 1;
      if (state.isAway) throw new Error('away');
      return known.get(keyHash.toString('hex')) ?? null;
    },
    findPortalGuard: async (tenantId) => {
      state.lookups += 1;
      if (state.isAway) throw new Error('away');
      return tenantId === 'acme' ? { notBefore: state.notBefore } : null;
    },
    tokens,
    isDatabaseUp: () => state.isUp,
    reportDatabaseDown: () => {
      state.isUp = false;
    },
    clock,
    maxKeys: 3,
    maxAgeMs: MAX_AGE_MS,
  });
  bundle = Object.assign(state, { keys, clock, known });
});

const ask = async (key = KEY) => bundle.keys.authenticate(`Bearer ${key}`);
const revoke = () => bundle.known.clear();

describe('API keys', () => {
  it('are looked up once and then answered at once', async () => {
    expect(await ask()).toEqual(CALLER);
    expect(bundle.keys.authenticate(`bearer ${KEY}`)).toEqual(CALLER);
    expect(bundle.lookups).toBe(1);
  });

  it('share one lookup when they are asked for together', async () => {
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([CALLER, CALLER, CALLER]);
    expect(bundle.lookups).toBe(1);
  });

  it('that are unknown are remembered as that', async () => {
    expect(await ask('phk_tn_unknown_unknown')).toMatchObject({ code: 'unauthenticated' });
    expect(await ask('phk_tn_unknown_unknown')).toMatchObject({ code: 'unauthenticated' });
    expect(bundle.lookups).toBe(1);
  });

  it('stop within five seconds of being revoked, idle or in use', async () => {
    await ask();
    revoke();
    bundle.clock.advance(FRESH_MS + 1);
    expect(await ask()).toMatchObject({ code: 'unauthenticated' });
  });

  it('in use are asked for again without anybody waiting', async () => {
    await ask();
    bundle.clock.advance(FRESH_MS / 2);
    revoke();
    expect(bundle.keys.authenticate(`Bearer ${KEY}`)).toEqual(CALLER);
    expect(bundle.lookups).toBe(2);
    await new Promise(setImmediate);
    expect(bundle.keys.authenticate(`Bearer ${KEY}`)).toMatchObject({ code: 'unauthenticated' });
  });

  it('are believed up to a stated age while Postgres is away, and no request waits for it', async () => {
    await ask();
    bundle.isAway = true;
    bundle.clock.advance(FRESH_MS + 1);
    expect(await ask()).toEqual(CALLER);
    expect(bundle.keys.authenticate(`Bearer ${KEY}`)).toEqual(CALLER);
    expect(bundle.lookups).toBe(2);
    bundle.clock.advance(MAX_AGE_MS);
    expect(bundle.keys.authenticate(`Bearer ${KEY}`)).toMatchObject({ code: 'database_unavailable' });
  });

  it('that were revoked meanwhile stop at the first request after Postgres is back', async () => {
    await ask();
    bundle.isAway = true;
    bundle.clock.advance(FRESH_MS + 1);
    await ask();
    revoke();
    bundle.isAway = false;
    bundle.isUp = true;
    expect(await ask()).toMatchObject({ code: 'unauthenticated' });
  });

  it('are forgotten, the oldest first, when there are too many', async () => {
    const other = (n: number) => `phk_tn_other_other_other_${n}`;
    for (const n of [1, 2, 3])
      bundle.known.set(hashKey(other(n)).toString('hex'), { ...ROW, keyId: `key_${n}` });
    await ask();
    for (const n of [1, 2, 3]) await ask(other(n));
    expect(bundle.keys.size).toBe(3);
    await ask();
    expect(bundle.lookups).toBe(5);
  });

  it('are not forgotten for guesses', async () => {
    await ask();
    for (let n = 0; n < 10; n++) await ask(`phk_tn_unknown_unknown_${n}`);
    expect(bundle.keys.authenticate(`Bearer ${KEY}`)).toEqual(CALLER);
    expect(bundle.keys.size).toBe(1 + 3);
  });

  it('are not looked up without bound', async () => {
    const asked = Array.from({ length: MAX_LOOKUPS_UNDER_WAY + 5 }, (_, n) =>
      ask(`phk_tn_unknown_unknown_${n}`),
    );
    const codes = (await Promise.all(asked)).map((found) => 'code' in found && found.code);
    expect(codes.filter((code) => code === 'database_unavailable')).toHaveLength(5);
    expect(bundle.lookups).toBe(MAX_LOOKUPS_UNDER_WAY);
  });

  it('are minted as prefix and 32 random bytes, of which only the hash is kept', () => {
    const minted = mintKey('operator', (bytes) => Buffer.alloc(bytes, 7));
    expect(minted.key).toBe(`phk_op_${Buffer.alloc(32, 7).toString('base64url')}`);
    expect(minted.keyHash).toEqual(hashKey(minted.key));
    expect(minted.keyHash).toHaveLength(32);
  });
});

describe('portal tokens', () => {
  const grant = (over: Partial<PortalGrant> = {}): PortalGrant => ({
    tokenId: 'ptk_1',
    tenantId: 'acme',
    scopes: ['read'],
    labels: { project: 'p1' },
    name: 'zoe',
    issuedAtMs: bundle.clock.nowMs(),
    expiresAtMs: bundle.clock.nowMs() + 600_000,
    ...over,
  });
  const present = async (over?: Partial<PortalGrant>) => ask(await tokens.issue(grant(over)));

  it('are callers of one tenant, with what they are narrowed to', async () => {
    expect(await present()).toEqual({
      keyId: 'ptk_1',
      kind: 'portal',
      tenantId: 'acme',
      scopes: new Set(['read']),
      labels: { project: 'p1' },
      name: 'zoe',
      expiresAtMs: grant().expiresAtMs,
    });
  });

  it('of a tenant that there is not are refused', async () => {
    expect(await present({ tenantId: 'nobody' })).toMatchObject({ code: 'unauthenticated' });
  });

  it('that were issued before a revocation stop within five seconds, later ones are good', async () => {
    const token = await tokens.issue(grant());
    expect(await ask(token)).toMatchObject({ kind: 'portal' });
    bundle.notBefore = new Date(bundle.clock.nowMs());
    bundle.clock.advance(FRESH_MS + 1);
    expect(await ask(token)).toMatchObject({ code: 'unauthenticated' });
    expect(await present()).toMatchObject({ kind: 'portal' });
  });

  it('share one lookup of their tenant, and are believed while Postgres is away', async () => {
    await present();
    await present({ tokenId: 'ptk_2' });
    expect(bundle.lookups).toBe(1);
    bundle.isUp = false;
    bundle.clock.advance(FRESH_MS + 1);
    expect(await present()).toMatchObject({ kind: 'portal' });
    bundle.clock.advance(MAX_AGE_MS);
    expect(await present()).toMatchObject({ code: 'database_unavailable' });
  });

  it('that are too long, or only look like one, are no keys either', async () => {
    const name = 'x'.repeat(5_000);
    for (const token of [
      await tokens.issue(grant({ name })),
      'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhY21lIn0.',
      'x'.repeat(300),
    ])
      expect(await ask(token)).toMatchObject({ code: 'unauthenticated' });
    expect(bundle.lookups).toBe(0);
  });
});

describe('a key with an end', () => {
  it('stops at that moment, without a lookup', async () => {
    const expiresAt = new Date(bundle.clock.nowMs() + 1_000);
    bundle.known.set(hashKey(KEY).toString('hex'), { ...ROW, expiresAt });
    expect(await ask()).toMatchObject({ keyId: 'key_1' });
    bundle.clock.advance(1_000);
    expect(await ask()).toMatchObject({ code: 'unauthenticated' });
    expect(bundle.lookups).toBe(1);
  });
});
