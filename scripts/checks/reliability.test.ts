import { expect, test } from 'vitest';
import { claimsIn, isThere, rowsOf } from './claims.ts';
import { filesOf, readText } from './repository.ts';

const DOCUMENTS = ['docs/reliability/races.md', 'docs/reliability/bad-input.md'];

/** Of the tables: what it is about, why it holds, then its tests. */
const claimsOf = (markdown: string) =>
  rowsOf(markdown).flatMap(([row = '', , tests = '']) => claimsIn(row, tests));

test.each(DOCUMENTS)('each test that %s names is there', (document) => {
  const claims = claimsOf(readText(document));
  expect(claims.length).toBeGreaterThan(20);
  expect(claims.filter((claim) => !isThere(claim))).toEqual([]);
});

test.each(DOCUMENTS)('each row of %s has a test', (document) => {
  const rows = rowsOf(readText(document));
  expect(rows.filter((cells) => !/`[^`]+` "[^"]+"/.test(cells[2] ?? '')).map(([row]) => row)).toEqual([]);
});

/** Families of bad input: each has a row, from 1 on, up to here. */
const HELD = { I: 12, B: 2, G: 6, T: 8, H: 6, R: 16, S: 8 } as const;

test('each kind of bad input has a row', () => {
  const named = rowsOf(readText('docs/reliability/bad-input.md')).map(([row]) => row!.split(' ')[0]!);
  const held = Object.entries(HELD).flatMap(([family, count]) =>
    Array.from({ length: count }, (_, i) => `${family}${i + 1}`),
  );
  expect(held.filter((id) => !named.includes(id))).toEqual([]);
  expect(named.filter((id) => !held.includes(id))).toEqual([]);
  expect(new Set(named).size).toBe(named.length);
});

test('each scenario that the races name is one of the fault tests', () => {
  const named = new Set(readText('docs/reliability/races.md').match(/\bD\d+\b/g));
  const sources = filesOf('packages/fault-tests/src/scenarios/*.ts').map(readText).join('\n');
  expect(named.size).toBeGreaterThan(5);
  expect([...named].filter((id) => !sources.includes(`id: '${id}'`))).toEqual([]);
});
