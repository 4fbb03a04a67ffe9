import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { openSecret, parseSecretsKey, SealedSecretError, sealSecret } from './sealed-secret.ts';

const key = parseSecretsKey(randomBytes(32).toString('base64'));
const row = { tenantId: 't', endpointId: 'ep_1', field: 'signing_secret' };

test('a secret opens with its key, for its row', () => {
  const sealed = sealSecret(key, row, 'whsec_ünïcode');
  expect(openSecret(key, row, sealed)).toBe('whsec_ünïcode');
  expect(sealed).not.toContain('whsec');
});

test('the same secret is never sealed to the same text', () => {
  expect(sealSecret(key, row, 'a')).not.toBe(sealSecret(key, row, 'a'));
});

test.each([
  ['tenant', { ...row, tenantId: 'other' }],
  ['endpoint', { ...row, endpointId: 'ep_2' }],
  ['field', { ...row, field: 'other' }],
])('a secret that was moved to another %s does not open', (_name, other) => {
  expect(() => openSecret(key, other, sealSecret(key, row, 'a'))).toThrow(SealedSecretError);
});

test('another key is named, not tried', () => {
  const other = parseSecretsKey(randomBytes(32).toString('base64'));
  expect(() => openSecret(other, row, sealSecret(key, row, 'a'))).toThrow(
    `sealed with key ${key.keyId}, SECRETS_KEY is key ${other.keyId}`,
  );
});

test('a changed bit in nonce, ciphertext or tag does not open', () => {
  const [version, keyId, nonce, sealed] = sealSecret(key, row, 'secret').split('.');
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
    expect(() => openSecret(key, row, text.join('.'))).toThrow(SealedSecretError);
});

test.each(['', 'v1', `v1.${key.keyId}.AA.AA`, 'v2.a.b.c', `v1.${key.keyId}.a.b.c`])(
  'malformed text %j is refused as such',
  (text) => {
    expect(() => openSecret(key, row, text)).toThrow('malformed');
  },
);

test.each(['', 'short', randomBytes(31).toString('base64'), `${randomBytes(32).toString('base64')}!`])(
  'a key that is not base64 of 32 bytes is refused without being quoted',
  (text) => {
    expect(() => parseSecretsKey(text)).toThrow('not base64 of 32 bytes');
  },
);
