import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { createAuthority } from '@posthorn/testkit';
import { describe, expect, test } from 'vitest';
import {
  createTlsIdentity,
  MAX_CERTIFICATES_CHARACTERS,
  MAX_PRIVATE_KEY_CHARACTERS,
  type TlsIdentityParts,
} from './tls-identity.ts';

const authority = createAuthority();
const ca = authority.certificate;
const { certificate: cert, key } = authority.issue({ name: 'client' });
const other = createAuthority().certificate;

function madeOf(parts: TlsIdentityParts) {
  const check = createTlsIdentity(parts);
  if (!check.ok) throw new Error(`${check.part} ${check.detail}`);
  return check.identity;
}

test.each<[string, TlsIdentityParts]>([
  ['authorities', { ca }],
  ['several authorities, with comments between', { ca: `# ours\n${ca}\n# theirs\r\n${other}` }],
  ['a client certificate with its key', { cert, key }],
  ['a chain', { cert: cert + ca, key }],
  ['all', { ca, cert, key }],
])('an identity is made of %s', (_what, parts) => {
  expect(createTlsIdentity(parts)).toMatchObject({ ok: true });
});

describe('it is refused, with the part that is wrong,', () => {
  const ecKey = (namedCurve: string) =>
    generateKeyPairSync('ec', { namedCurve }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const encrypted = generateKeyPairSync('ed25519').privateKey.export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'secret',
  }) as string;
  const weak = generateKeyPairSync('rsa', { modulusLength: 1_024 }).privateKey;
  const encryptedAsOfOld = weak.export({
    type: 'pkcs1',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'secret',
  }) as string;
  const cut = (text: string) => text.slice(0, text.length / 2);
  const spoilt = cert.replace(/\n[A-Za-z0-9+/]{20}/, `\n${'A'.repeat(20)}`);

  test.each<[string, TlsIdentityParts, string, string]>([
    ['authorities are no PEM', { ca: 'garbage' }, 'ca', 'is not PEM'],
    ['authorities are empty', { ca: '' }, 'ca', 'is not PEM'],
    ['an authority is cut off', { ca: ca + cut(ca) }, 'ca', 'is not PEM'],
    ['a block never ends its label', { ca: '-----BEGIN CERTIFICATE' }, 'ca', 'is not PEM'],
    ['an authority is not DER', { ca: spoilt }, 'ca', 'has a certificate that cannot be read'],
    ['a key stands among authorities', { ca: ca + key }, 'ca', 'has a private key among its certificates'],
    [
      'a key stands among certificates',
      { cert: cert + key, key },
      'cert',
      'has a private key among its certificates',
    ],
    [
      'something else stands there',
      { ca: ca.replaceAll('CERTIFICATE', 'X509 CRL') },
      'ca',
      'has something else than certificates',
    ],
    ['there are too many', { ca: ca.repeat(33) }, 'ca', 'has more than 32 certificates'],
    ['they are too long', { ca: ' '.repeat(MAX_CERTIFICATES_CHARACTERS + 1) }, 'ca', 'is too long'],
    ['the key is missing', { cert }, 'key', 'is missing: the certificate is of no use without it'],
    ['the certificate is missing', { key }, 'cert', 'is missing: the private key is of no use without it'],
    [
      'the key is of another certificate',
      { cert, key: ecKey('P-256') },
      'key',
      'is not the key of the certificate',
    ],
    ['the key is a certificate', { cert, key: cert }, 'key', 'is not one private key in PEM'],
    ['there are two keys', { cert, key: key + key }, 'key', 'is not one private key in PEM'],
    [
      'the key is spoilt',
      { cert, key: key.replace(/\n.{20}/, `\n${'A'.repeat(20)}`) },
      'key',
      'cannot be read',
    ],
    ['the key is encrypted', { cert, key: encrypted }, 'key', 'is encrypted: give it without a passphrase'],
    [
      'the key is encrypted as of old',
      { cert, key: encryptedAsOfOld },
      'key',
      'is encrypted: give it without a passphrase',
    ],
    ['the key is too long', { cert, key: ' '.repeat(MAX_PRIVATE_KEY_CHARACTERS + 1) }, 'key', 'is too long'],
    [
      'the curve is an odd one',
      { cert, key: ecKey('secp256k1') },
      'key',
      'is on another curve than P-256, P-384 or P-521',
    ],
    [
      'the key cannot sign',
      {
        cert,
        key: generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
      },
      'key',
      'is of another kind than RSA, ECDSA or Ed25519',
    ],
    [
      'the key is weak',
      { cert, key: weak.export({ type: 'pkcs1', format: 'pem' }) as string },
      'key',
      'is an RSA key of 1024 bits: 2048 to 4096 are taken',
    ],
  ])('when %s', (_what, parts, part, detail) => {
    expect(createTlsIdentity(parts)).toEqual({ ok: false, part, detail });
  });
});

test('a thousand blocks that never end are refused without looking for their ends again and again', () => {
  const text = '-----BEGIN CERTIFICATE-----\n'.repeat(2_000);
  expect(createTlsIdentity({ ca: text })).toEqual({ ok: false, part: 'ca', detail: 'is not PEM' });
});

describe('its id', () => {
  test('is the same for the same parts and another for any other', () => {
    const all: TlsIdentityParts[] = [{ ca }, { cert, key }, { ca, cert, key }, { ca: other }];
    const ids = all.map((parts) => madeOf(parts).id);
    expect(new Set(ids).size).toBe(all.length);
    expect(all.map((parts) => madeOf({ ...parts }).id)).toEqual(ids);
  });

  test('is all that JSON, a log or an error shows of it', () => {
    const identity = madeOf({ ca, cert, key });
    const shown = `${JSON.stringify(identity)} ${inspect(identity, { depth: 9, showHidden: true })} ${String(identity)}`;
    expect(shown).toContain(identity.id);
    for (const text of [ca, cert, key]) expect(shown).not.toContain(text.slice(40, 80));
  });
});
