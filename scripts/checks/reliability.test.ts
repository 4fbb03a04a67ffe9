import { expect, test } from 'vitest';
import { exists, filesOf, readText } from './repository.ts';

interface Claim {
  readonly row: string;
  readonly path: string;
  readonly test: string;
}

const DOCUMENTS = ['docs/reliability/races.md', 'docs/reliability/bad-input.md'];

/** Of the tables: what it is about, why it holds, then `path` "test name", any number of them. */
function rowsOf(markdown: string): string[][] {
  const lines = [...markdown.matchAll(/^\| (?!---)(.+) \|$(?!\n\|---)/gm)];
  return lines.map((line) => line[1]!.split(' | '));
}

function claimsOf(markdown: string): Claim[] {
  return rowsOf(markdown).flatMap(([row = '', , tests = '']) =>
    [...tests.matchAll(/`([^`]+)` "([^"]+)"/g)].map(([, path = '', name = '']) => ({
      row,
      path,
      test: name,
    })),
  );
}

/** As it stands in the code: quotes may be escaped there. */
const says = (path: string, name: string): boolean =>
  exists(path) && readText(path).replaceAll("\\'", "'").includes(name);

test.each(DOCUMENTS)('each test that %s names is there', (document) => {
  const claims = claimsOf(readText(document));
  expect(claims.length).toBeGreaterThan(20);
  expect(claims.filter(({ path, test: name }) => !says(path, name))).toEqual([]);
});

test.each(DOCUMENTS)('each row of %s has a test', (document) => {
  const rows = rowsOf(readText(document));
  expect(rows.filter((cells) => !/`[^`]+` "[^"]+"/.test(cells[2] ?? '')).map(([row]) => row)).toEqual([]);
});

/** Families of bad input: each has a row, from 1 on, up to here. */
const HELD = { I: 12, B: 2, T: 8, H: 6 } as const;
/** Rows that are still to be written. */
const OWING: readonly string[] = ['T3', 'H1', 'H2'];

test('each kind of bad input has a row', () => {
  const named = rowsOf(readText('docs/reliability/bad-input.md')).map(([row]) => row!.split(' ')[0]!);
  const held = Object.entries(HELD).flatMap(([family, count]) =>
    Array.from({ length: count }, (_, i) => `${family}${i + 1}`),
  );
  expect(held.filter((id) => !named.includes(id) && !OWING.includes(id))).toEqual([]);
  expect(named.filter((id) => !held.includes(id))).toEqual([]);
  expect(new Set(named).size).toBe(named.length);
});

test('each scenario that the races name is one of the fault tests', () => {
  const named = new Set(readText('docs/reliability/races.md').match(/\bD\d+\b/g));
  const sources = filesOf('packages/fault-tests/src/scenarios/*.ts').map(readText).join('\n');
  expect(named.size).toBeGreaterThan(5);
  expect([...named].filter((id) => !sources.includes(`id: '${id}'`))).toEqual([]);
});
