import { expect, test } from 'vitest';
import { differences, type RunBlock } from './run-guide.ts';

const block = (expected: string, printed: string): RunBlock => ({ line: 7, script: '', expected, printed });

test('what a page shows may stand for anything with an ellipsis, and leave members and entries out', () => {
  const printed = '{"id":"ep_1","at":"2026","list":[1,2,3],"more":true}';
  expect(differences(block('{"id":"ep_…","at":"…","list":[1,"…"],"…":"…"}', printed))).toEqual([]);
});

test('any other difference is named by its place', () => {
  expect(differences(block('{"a":1,"b":[1]}', '{"a":2,"b":[1,2],"c":3}'))).toEqual([
    'line 7/c: is printed and not shown',
    'line 7/a: 2, not 1',
    'line 7/b: 2 entries, not 1',
  ]);
  expect(differences(block('{"a":"x…"}', '{"a":"yx"}'))).toHaveLength(1);
  expect(differences(block('{}', 'no JSON'))).toHaveLength(1);
});
