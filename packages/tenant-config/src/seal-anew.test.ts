import { randomBytes } from 'node:crypto';
import type { SealedTexts } from '@posthorn/db';
import { type KeyRing, openSecret, parseKeyRing, sealOf, sealSecret } from '@posthorn/secrets';
import { expect, test } from 'vitest';
import { sealAnew } from './seal-anew.ts';

const [old, lost, next] = Array.from({ length: 3 }, () => randomBytes(32).toString('base64'));
const before = parseKeyRing(old!, 'v1');
const after = parseKeyRing(`${next},${old}`);
const of = { tenantId: 'acme', endpointId: 'ep_1' };
const FIELDS = ['signing_secret', 'ed25519_key', 'header:x-a', 'auth', 'tls'];

const sealed = (ring: KeyRing): SealedTexts => {
  const seal = (field: string): string => sealSecret(ring, { ...of, field }, `of ${field}`);
  return {
    ...of,
    sealedSecrets: [seal('signing_secret'), seal('signing_secret')],
    sealedSigningKeys: [seal('ed25519_key')],
    sealedHeaders: { 'x-a': seal('header:x-a') },
    sealedAuth: seal('auth'),
    sealedTls: seal('tls'),
  };
};

const textsOf = ({ sealedSecrets, sealedSigningKeys, sealedHeaders, sealedAuth, sealedTls }: SealedTexts) => [
  sealedSecrets[1]!,
  sealedSigningKeys[0]!,
  sealedHeaders['x-a']!,
  sealedAuth!,
  sealedTls!,
];

test('every field is sealed with the first key of the ring, for the row that it was of', () => {
  const { texts, ...counts } = sealAnew(after, sealed(before));
  expect(counts).toEqual({ kept: 0, sealed: 6, faults: [] });
  for (const [place, text] of textsOf(texts).entries()) {
    const field = FIELDS[place]!;
    expect(sealOf(text)).toEqual({ format: 'v2', keyId: after.sealing.keyId });
    expect(openSecret(parseKeyRing(next!), { ...of, field }, text)).toBe(`of ${field}`);
  }
});

test('what is sealed as it would be now stays, to the letter', () => {
  const row = sealed(after);
  expect(sealAnew(after, row)).toEqual({ texts: row, kept: 6, sealed: 0, faults: [] });
});

test('it goes back to the form of the release before, for whoever goes back to it', () => {
  const { texts } = sealAnew(before, sealed(parseKeyRing(old!)));
  for (const text of textsOf(texts)) expect(sealOf(text)?.format).toBe('v1');
});

test('what does not open stays as it is and is told by its field, and the rest goes on', () => {
  const row = { ...sealed(before), sealedAuth: sealed(parseKeyRing(lost!)).sealedAuth, sealedTls: 'v9.what' };
  const { texts, sealed: count, faults } = sealAnew(after, row);
  expect([texts.sealedAuth, texts.sealedTls, count]).toEqual([row.sealedAuth, row.sealedTls, 4]);
  expect(faults).toEqual([
    expect.stringMatching(/^auth: .*not in the key ring/),
    expect.stringMatching(/^tls: .*malformed/),
  ]);
});

test('an endpoint without any of it is left alone', () => {
  const row = {
    ...of,
    sealedSecrets: [],
    sealedSigningKeys: [],
    sealedHeaders: {},
    sealedAuth: null,
    sealedTls: null,
  };
  expect(sealAnew(after, row)).toEqual({ texts: row, kept: 0, sealed: 0, faults: [] });
});
