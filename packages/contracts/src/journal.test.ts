import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecordFormatError } from './header-fields.ts';
import { decodeJournal, encodeJournal, hashUrl } from './journal.ts';
import { FAILURE_KIND } from './outcome.ts';

/** Any characters; making the unit `binary` of fast-check takes seconds. */
const anyText = fc.string({
  unit: fc.integer({ min: 0, max: 0x10ffff }).map((code) => String.fromCodePoint(code)),
});

test('entries come back as they went in, in their order', () => {
  const entries = fc.array(fc.record({ kind: fc.constant('attempted'), error: anyText }));
  fc.assert(
    fc.property(entries, (some) => {
      expect(decodeJournal(encodeJournal(some.map((each) => JSON.stringify(each))))).toEqual(some);
    }),
  );
});

test('kinds that the release before does not know stand apart, where it passes over them', () => {
  const [old, newer] = ['{"kind":"load"}', '{"kind":"circuit"}'];
  const value = encodeJournal([old], [newer]);
  expect(JSON.parse(value.toString())).toEqual({
    v: 1,
    entries: [{ kind: 'load' }],
    newer: [{ kind: 'circuit' }],
  });
  expect(decodeJournal(value).map(({ kind }) => kind)).toEqual(['load', 'circuit']);
  expect(encodeJournal([old]).toString()).toBe(`{"v":1,"entries":[${old}]}`);
});

test.each([
  ['no JSON', 'x', /not JSON/],
  ['of another version', '{"v":2,"entries":[]}', /version is 2/],
  ['without a version', '{"entries":[]}', /version is null/],
  ['null', 'null', /version is null/],
  ['without entries', '{"v":1}', /version is 1/],
])('a value that is %s is refused', (_, value, message) => {
  expect(() => decodeJournal(Buffer.from(value))).toThrow(message);
  expect(() => decodeJournal(Buffer.from(value))).toThrow(RecordFormatError);
});

test('only what another try cannot mend is permanent', () => {
  const permanent = Object.entries(FAILURE_KIND).filter(([, kind]) => kind === 'permanent');
  expect(permanent.map(([failure]) => failure)).toEqual(['gone', 'invalid_endpoint']);
});

test('a URL is told from another one by the same digits in every release', () => {
  expect(hashUrl('https://hooks.example.com/a')).toBe('878390d4c2eeee07');
});
