import { hkdfSync, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { deriveKeys, describeKeyRing, MAX_RING_KEYS, parseKeyRing } from './key-ring.ts';

const randomKey = (bytes = 32) => randomBytes(bytes).toString('base64');

test('the first key seals, in whatever way they are parted, and a key counts once', () => {
  const [a, b, c] = [randomKey(), randomKey(), randomKey()];
  const [ofA, ofB, ofC] = [a, b, c].map((text) => parseKeyRing(text!).sealing.keyId);
  for (const text of [`${a},${b},${c}`, `${a}\n${b}\n${c}\n`, ` ${a} , ${b},, ${c},${a}`]) {
    const ring = parseKeyRing(text);
    expect(ring.sealing.keyId).toBe(ofA);
    expect([...ring.keys.keys()]).toEqual([ofA, ofB, ofC]);
    expect(describeKeyRing(ring)).toEqual({ seals_with: ofA, format: 'v2', opens: [ofA, ofB, ofC] });
  }
});

test.each([
  ['', 'not base64'],
  [',', 'not base64'],
  ['short', 'not base64'],
  [randomKey(31), 'not base64'],
  [`${randomKey()}!`, 'not base64'],
  [`${randomKey()},hunter2`, 'key 2 is not base64'],
])('%j is no key ring, and is not quoted', (text, fault) => {
  expect(() => parseKeyRing(text)).toThrow(fault);
  expect(() => parseKeyRing(text)).not.toThrow('hunter2');
});

test('a ring has a bound', () => {
  const ring = (size: number) => parseKeyRing(Array.from({ length: size }, () => randomKey()).join());
  expect(ring(MAX_RING_KEYS).keys.size).toBe(MAX_RING_KEYS);
  expect(() => ring(MAX_RING_KEYS + 1)).toThrow('17 keys are more than 16');
});

test('keys for other uses are derived from each, the first from the one that seals', () => {
  const texts = [randomKey(), randomKey()];
  const expected = texts.map((text) =>
    Buffer.from(hkdfSync('sha256', Buffer.from(text, 'base64'), '', 'a use', 32)),
  );
  expect(deriveKeys(parseKeyRing(texts.join()), 'a use')).toEqual(expected);
});
