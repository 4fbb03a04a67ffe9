import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseKeyRing } from './key-ring.ts';
import { openSecret, SealedSecretError, sealSecret } from './sealed-secret.ts';

const ring = parseKeyRing(randomBytes(32).toString('base64'));
const row = { tenantId: 't', endpointId: 'ep_1', field: 'signing_secret' };

test('a secret opens with its key, for its row', () => {
  const sealed = sealSecret(ring, row, 'whsec_ünïcode');
  expect(openSecret(ring, row, sealed)).toBe('whsec_ünïcode');
  expect(sealed).not.toContain('whsec');
});

test('whatever is sealed, for whatever row, opens as it was', () => {
  const of = fc.record({ tenantId: fc.string(), endpointId: fc.string(), field: fc.string() });
  const property = fc.property(of, fc.string({ unit: 'binary' }), (row, text) => {
    expect(openSecret(ring, row, sealSecret(ring, row, text))).toBe(text);
  });
  fc.assert(property);
});

test('the same secret is never sealed to the same text', () => {
  expect(sealSecret(ring, row, 'a')).not.toBe(sealSecret(ring, row, 'a'));
});

test.each([
  ['tenant', { ...row, tenantId: 'other' }],
  ['endpoint', { ...row, endpointId: 'ep_2' }],
  ['field', { ...row, field: 'other' }],
])('a secret that was moved to another %s does not open', (_name, other) => {
  expect(() => openSecret(ring, other, sealSecret(ring, row, 'a'))).toThrow(SealedSecretError);
});

test('another key is named, not tried', () => {
  const other = parseKeyRing(randomBytes(32).toString('base64'));
  expect(() => openSecret(other, row, sealSecret(ring, row, 'a'))).toThrow(
    `sealed with key ${ring.sealing.keyId}, SECRETS_KEY is key ${other.sealing.keyId}`,
  );
});

test('a changed bit in nonce, ciphertext or tag does not open', () => {
  const [version, keyId, nonce, sealed] = sealSecret(ring, row, 'secret').split('.');
  const flipped = (text: string, at: number) => {
    const bytes = Buffer.from(text, 'base64url');
    bytes[at]! ^= 1;
    return bytes.toString('base64url');
  };
  for (const text of [
    [version, keyId, flipped(nonce!, 0), sealed],
    [version, keyId, nonce, flipped(sealed!, 0)],
    [version, keyId, nonce, flipped(sealed!, Buffer.from(sealed!, 'base64url').length - 1)],
  ])
    expect(() => openSecret(ring, row, text.join('.'))).toThrow(SealedSecretError);
});

test.each(['', 'v1', `v1.${ring.sealing.keyId}.AA.AA`, 'v2.a.b.c', `v1.${ring.sealing.keyId}.a.b.c`])(
  'malformed text %j is refused as such',
  (text) => {
    expect(() => openSecret(ring, row, text)).toThrow('malformed');
  },
);

test.each(['', 'short', randomBytes(31).toString('base64'), `${randomBytes(32).toString('base64')}!`])(
  'a key that is not base64 of 32 bytes is refused without being quoted',
  (text) => {
    expect(() => parseKeyRing(text)).toThrow('not base64 of 32 bytes');
  },
);
