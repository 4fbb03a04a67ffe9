import { expect, test } from 'vitest';
import { storable, storableJson } from './storable.ts';

test('NUL is replaced where Postgres has no place for it', () => {
  expect(storable('a\0b')).toBe('a\uFFFDb');
  expect(storable('ab')).toBe('ab');
});

test.each([
  [String.raw`{"a":"x\u0000","b\u0000":"\ud800"}`, '{"a":"x\uFFFD","b\uFFFD":"\uFFFD"}'],
  [String.raw`{"a":"\ud83d\ude00\u00e9"}`, '{"a":"😀é"}'],
  ['{"a":"é"}', '{"a":"é"}'],
])('JSON that jsonb would refuse is made acceptable: %s', (json, expected) => {
  expect(storableJson(json)).toBe(expected);
});
