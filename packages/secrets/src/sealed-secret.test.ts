import { createDecipheriv, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type KeyRing, parseKeyRing, type SealedFormat } from './key-ring.ts';
import { isSealedAsNow, openSecret, SealedSecretError, sealOf, sealSecret } from './sealed-secret.ts';

const randomKey = () => randomBytes(32).toString('base64');
/** Of any characters. `fc.string({ unit: 'binary' })` takes seconds to be made. */
const anyText = fc
  .array(fc.integer({ min: 0, max: 0x10_ffff }))
  .map((points) => String.fromCodePoint(...points).toWellFormed());
const row = { tenantId: 't', endpointId: 'ep_1', field: 'signing_secret' };

describe.each<SealedFormat>(['v1', 'v2'])('a secret sealed as %s', (format) => {
  const ring = parseKeyRing(randomKey(), format);
  const { keyId } = ring.sealing;

  test('opens as it was, whatever it is and whatever row it is of', () => {
    const of = fc.record({ tenantId: fc.string(), endpointId: fc.string(), field: fc.string() });
    const property = fc.property(of, anyText, (row, text) => {
      expect(openSecret(ring, row, sealSecret(ring, row, text))).toBe(text);
    });
    fc.assert(property);
  });

  test('says its format and the key it is sealed with, and nothing of itself', () => {
    const sealed = sealSecret(ring, row, 'whsec_ünïcode');
    expect(sealOf(sealed)).toEqual({ format, keyId });
    expect(sealed).not.toContain('whsec');
    expect(isSealedAsNow(ring, sealed)).toBe(true);
  });

  test('never looks the same twice', () => {
    expect(sealSecret(ring, row, 'a')).not.toBe(sealSecret(ring, row, 'a'));
  });

  test.each([
    ['tenant', { ...row, tenantId: 'other' }],
    ['endpoint', { ...row, endpointId: 'ep_2' }],
    ['field', { ...row, field: 'other' }],
  ])('does not open for another %s', (_name, other) => {
    expect(() => openSecret(ring, other, sealSecret(ring, row, 'a'))).toThrow(SealedSecretError);
  });

  test('does not open when any bit of it is another', () => {
    const sealed = sealSecret(ring, row, 'secret');
    const parts = sealed.split('.');
    for (const [place, part] of parts.entries()) {
      if (place < 2) continue;
      const bytes = Buffer.from(part, 'base64url');
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const changed = Buffer.from(bytes);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        const text = parts.with(place, changed.toString('base64url')).join('.');
        expect(() => openSecret(ring, row, text)).toThrow(SealedSecretError);
      }
    }
  });

  test('does not open when a character of it is another, also where both decode to the same bytes', () => {
    const sealed = sealSecret(ring, row, 'secret');
    for (const [at, character] of [...sealed].entries()) {
      for (const other of [character === 'A' ? 'B' : 'A', character === 'w' ? 'x' : 'w', '=', ' ']) {
        if (other === character) continue;
        const text = sealed.slice(0, at) + other + sealed.slice(at + 1);
        expect(() => openSecret(ring, row, text), `${at}: ${other}`).toThrow(SealedSecretError);
      }
    }
  });

  test('does not open when it is cut, or has more at its end', () => {
    const sealed = sealSecret(ring, row, 'secret');
    for (let length = 0; length < sealed.length; length += 1)
      expect(() => openSecret(ring, row, sealed.slice(0, length))).toThrow(SealedSecretError);
    for (const more of ['A', 'AAAA', '.', '.AAAA', '\n'])
      expect(() => openSecret(ring, row, sealed + more)).toThrow(SealedSecretError);
  });

  test('of a key that is not in the ring is refused by naming both', () => {
    const other = parseKeyRing(randomKey());
    expect(() => openSecret(other, row, sealSecret(ring, row, 'a'))).toThrow(
      `sealed with key ${keyId}, which is not in the key ring (${other.sealing.keyId})`,
    );
  });

  test('opens with any key of a ring, and is sealed with the first', () => {
    const old = randomKey();
    const sealed = sealSecret(parseKeyRing(old, format), row, 'a');
    const turned = parseKeyRing(`${randomKey()},${old}`);
    expect(openSecret(turned, row, sealed)).toBe('a');
    expect(isSealedAsNow(turned, sealed)).toBe(false);
    expect(sealOf(sealSecret(turned, row, 'a'))).toEqual({ format: 'v2', keyId: turned.sealing.keyId });
  });
});

test('the parts of two envelopes of one row do not fit each other', () => {
  const ring = parseKeyRing(randomKey());
  const [a, b] = ['a', 'b'].map((text) => sealSecret(ring, row, text).split('.'));
  for (const place of [2, 3, 4])
    expect(() => openSecret(ring, row, a!.with(place, b![place]!).join('.'))).toThrow(SealedSecretError);
});

test('one format is not taken for the other', () => {
  const ring = parseKeyRing(randomKey());
  for (const format of ['v1', 'v2', 'v3'] as const) {
    const [, ...rest] = sealSecret({ ...ring, seals: format === 'v1' ? 'v2' : 'v1' }, row, 'a').split('.');
    expect(() => openSecret(ring, row, [format, ...rest].join('.'))).toThrow(SealedSecretError);
  }
});

describe('the release before', () => {
  const ring: KeyRing = parseKeyRing(Buffer.alloc(32, 5).toString('base64'), 'v1');
  const of = { tenantId: 'acme', endpointId: 'ep_1', field: 'signing_secret' };

  test('has sealed what is opened now', () => {
    const sealed = 'v1.f849d673.2GlxAetuNSEgtpwm.6AjQSKXZPQI0m3E4tBbMPqcWA53MUflfuqI59yzcbA';
    expect(openSecret(ring, of, sealed)).toBe('whsec_ünïcode');
    expect(openSecret({ ...ring, seals: 'v2' }, of, sealed)).toBe('whsec_ünïcode');
  });

  test('opens what one key by itself seals', () => {
    const [version, keyId, nonce, sealed] = sealSecret(ring, of, 'whsec_ünïcode').split('.');
    expect([version, keyId]).toEqual(['v1', 'f849d673']);
    const bytes = Buffer.from(sealed!, 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', Buffer.alloc(32, 5), Buffer.from(nonce!, 'base64url'))
      .setAAD(Buffer.from('v1\nf849d673\nacme\nep_1\nsigning_secret'))
      .setAuthTag(bytes.subarray(-16));
    const text = decipher.update(bytes.subarray(0, -16), undefined, 'utf8') + decipher.final('utf8');
    expect(text).toBe('whsec_ünïcode');
  });
});

const keyId = parseKeyRing(Buffer.alloc(32, 5).toString('base64')).sealing.keyId;

test.each([
  '',
  'v1',
  'v2',
  `v1.${keyId}.AA.AA`,
  `v1.${keyId}.a.b`,
  `v2.${keyId}.AA.AA.AA`,
  'v1.toString.AA.AA',
  `v3.${keyId}.AA.AA`,
])('malformed text %j is refused as such', (text) => {
  const ring = parseKeyRing(Buffer.alloc(32, 5).toString('base64'));
  expect(() => openSecret(ring, row, text)).toThrow('sealed secret is malformed');
});
