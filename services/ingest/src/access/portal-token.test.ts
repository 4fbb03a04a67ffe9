import { createHmac } from 'node:crypto';
import { parseKeyRing } from '@posthorn/secrets';
import { expect, test } from 'vitest';
import { createPortalTokens, MAX_TOKEN_CHARS, MAX_TTL_S, type PortalGrant } from './portal-token.ts';

const NOW_MS = Date.UTC(2026, 10, 1);
const SECRETS_KEY = Buffer.alloc(32, 7);
const ringOf = (...keys: Buffer[]) => parseKeyRing(keys.map((key) => key.toString('base64')).join());
const tokens = createPortalTokens(ringOf(SECRETS_KEY));
const GRANT: PortalGrant = {
  tokenId: 'ptk_1',
  tenantId: 'acme',
  scopes: ['read', 'manage'],
  labels: { project: 'p1' },
  name: 'zoe@acme.example',
  issuedAtMs: NOW_MS + 123,
  expiresAtMs: NOW_MS + 60_123,
};

const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
const split = async (grant = GRANT) => (await tokens.issue(grant)).split('.') as [string, string, string];
const read = (token: string, nowMs = NOW_MS) => tokens.read(token, nowMs);

test('a token says what it was issued for, to the millisecond', async () => {
  expect(await read(await tokens.issue(GRANT))).toEqual(GRANT);
  const plain = { ...GRANT, labels: null, name: null, scopes: ['read'] as const };
  expect(await read(await tokens.issue(plain))).toEqual(plain);
});

test('a token ends', async () => {
  const token = await tokens.issue(GRANT);
  expect(await read(token, GRANT.expiresAtMs + 4_000)).not.toBeNull();
  expect(await read(token, GRANT.expiresAtMs + 6_000)).toBeNull();
});

test('a token of another installation is none of ours', async () => {
  expect(
    await createPortalTokens(ringOf(Buffer.alloc(32, 8))).read(await tokens.issue(GRANT), NOW_MS),
  ).toBeNull();
});

test('a token issued before a change of keys is read as long as its key is in the ring, and ends as it would have', async () => {
  const turned = createPortalTokens(ringOf(Buffer.alloc(32, 8), SECRETS_KEY));
  const token = await tokens.issue(GRANT);
  expect(await turned.read(token, NOW_MS)).toEqual(GRANT);
  expect(await turned.read(token, GRANT.expiresAtMs + 6_000)).toBeNull();
  expect(await tokens.read(await turned.issue(GRANT), NOW_MS)).toBeNull();
});

test('a token without a signature, or with another algorithm, is refused whatever its header says', async () => {
  const [header, payload, signature] = await split();
  for (const alg of ['none', 'None', 'HS512', 'RS256']) {
    const asked = encode({ ...decode(header), alg });
    for (const signed of ['', signature]) expect(await read(`${asked}.${payload}.${signed}`)).toBeNull();
  }
  expect(await read(`${header}.${payload}.`)).toBeNull();
});

/** What an attacker cannot do, to show that each claim is looked at although the signature is good. */
async function signedWith(changes: Record<string, unknown>, header: object = {}): Promise<string> {
  const [head, payload] = await split();
  const { hkdfSync } = await import('node:crypto');
  const key = Buffer.from(hkdfSync('sha256', SECRETS_KEY, '', 'posthorn portal tokens v1', 32));
  const claims = Object.entries({ ...decode(payload), ...changes }).filter(
    ([, value]) => value !== undefined,
  );
  const body = `${encode({ ...decode(head), ...header })}.${encode(Object.fromEntries(claims))}`;
  return `${body}.${createHmac('sha256', key).update(body).digest('base64url')}`;
}

test.each([
  ['of another issuer', { iss: 'somebody' }],
  ['for another audience', { aud: 'posthorn' }],
  ['without an issuer', { iss: undefined }],
  ['without an audience', { aud: undefined }],
  ['without an end', { exp: undefined }],
  ['without a beginning', { iat: undefined }],
  ['without an id', { jti: undefined }],
  ['that lives too long', { exp: NOW_MS / 1_000 + MAX_TTL_S + 1 }],
  ['from the future', { iat: NOW_MS / 1_000 + 60 }],
  ['not good yet', { nbf: NOW_MS / 1_000 + 60 }],
  ['of no tenant', { sub: '../acme' }],
  ['with a scope that no portal has', { scope: 'read admin' }],
  ['with a scope that includes what no portal has', { scope: 'ingest' }],
  ['without scopes', { scope: '' }],
  ['with labels that are none', { labels: { project: 1 } }],
])('a token %s is refused', async (_what, changes) => {
  expect(await read(await signedWith({}))).toEqual(GRANT);
  expect(await read(await signedWith(changes))).toBeNull();
});

test('a token of another type is refused', async () => {
  expect(await read(await signedWith({}, { typ: 'at+jwt' }))).toBeNull();
  expect(await read(await signedWith({}, { typ: undefined }))).toBeNull();
  expect(await read(await signedWith({}, { crit: ['exp'] }))).toBeNull();
});

test('a signature that is spelled in another way is refused, though it is the same bytes', async () => {
  const [header, payload, signature] = await split();
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const bytes = Buffer.from(signature, 'base64url');
  const last = alphabet.indexOf(signature.at(-1)!);
  const respelled = alphabet[last ^ 1]!;
  const twin = signature.slice(0, -1) + respelled;
  expect(Buffer.from(twin, 'base64url').equals(bytes)).toBe(true);
  const padded = bytes.toString('base64');
  for (const text of [twin, padded, `${signature}=`, ` ${signature}`, `${signature}\n`])
    expect(await read(`${header}.${payload}.${text}`)).toBeNull();
});

test('any bit that is changed makes it another token', async () => {
  const token = await tokens.issue(GRANT);
  for (let at = 0; at < token.length; at++) {
    const other = token[at] === 'A' ? 'B' : 'A';
    expect(await read(token.slice(0, at) + other + token.slice(at + 1))).toBeNull();
  }
});

test('an oversized token is refused without being read', async () => {
  const name = 'x'.repeat(MAX_TOKEN_CHARS);
  expect(await read(await tokens.issue({ ...GRANT, name }))).toBeNull();
});
