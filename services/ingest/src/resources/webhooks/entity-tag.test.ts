import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyText } from '../../../test/json-text.ts';
import { isProblem } from '../../http/problem.ts';
import { entityTag, readIfMatch } from './entity-tag.ts';

const revisions = (header: string | undefined): number[] | null | string => {
  const read = readIfMatch(header);
  if (read === null) return null;
  return isProblem(read) ? read.code : [...read];
};

describe('If-Match', () => {
  test.each([
    [undefined, null],
    ['*', null],
    [' * ', null],
    ['"42"', [42]],
    ['"42", "43"', [42, 43]],
    // Strong comparison: a weak tag equals nothing. So does one that we never gave out.
    ['W/"42"', []],
    ['"abc"', []],
    ['""', []],
    ['"1e3"', []],
    ['"99999999999999999999"', []],
  ])('%j means %j', (header, meant) => {
    expect(revisions(header)).toEqual(meant);
  });

  test.each(['42', '"42', '"4"2"', '*, "42"', 'w/"42"', '', Array(11).fill('"1"').join()])(
    '%j is a fault',
    (header) => {
      expect(revisions(header)).toBe('invalid_request');
    },
  );

  test('takes back every tag that was given out, and no other', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (revision, other) => {
        const read = readIfMatch(entityTag({ revision })) as ReadonlySet<number>;
        expect(read.has(other)).toBe(other === revision);
      }),
    );
  });

  test('is read whatever it is', () => {
    fc.assert(fc.property(anyText, (header) => void readIfMatch(header)));
  });
});
