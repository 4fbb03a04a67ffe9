import { expect, test } from 'vitest';
import { exists, filesOf, readText } from './repository.ts';

interface Claim {
  readonly race: string;
  readonly path: string;
  readonly test: string;
}

/** Rows of the tables: the race, the mechanism, then `path` "test name", any number of them. */
function claimsOf(markdown: string): Claim[] {
  const rows = [...markdown.matchAll(/^\| (?!---|race )(.+) \|$/gm)].map((row) => row[1]!.split(' | '));
  return rows.flatMap(([race = '', , tests = '']) =>
    [...tests.matchAll(/`([^`]+)` "([^"]+)"/g)].map(([, path = '', name = '']) => ({
      race,
      path,
      test: name,
    })),
  );
}

/** As it stands in the code: quotes may be escaped there. */
const says = (path: string, name: string): boolean =>
  exists(path) && readText(path).replaceAll("\\'", "'").includes(name);

test('each test that docs/reliability/races.md names is there', () => {
  const claims = claimsOf(readText('docs/reliability/races.md'));
  expect(claims.length).toBeGreaterThan(20);
  expect(claims.filter(({ path, test: name }) => !says(path, name))).toEqual([]);
});

test('each race that it names has a test', () => {
  const markdown = readText('docs/reliability/races.md');
  const rows = [...markdown.matchAll(/^\| (?!---|race )(.+) \|$/gm)].map((row) => row[1]!.split(' | '));
  expect(rows.filter((cells) => !/`[^`]+` "[^"]+"/.test(cells[2] ?? '')).map(([race]) => race)).toEqual([]);
});

test('each scenario that it names is one of the fault tests', () => {
  const named = new Set(readText('docs/reliability/races.md').match(/\bD\d+\b/g));
  const sources = filesOf('packages/fault-tests/src/scenarios/*.ts').map(readText).join('\n');
  expect(named.size).toBeGreaterThan(5);
  expect([...named].filter((id) => !sources.includes(`id: '${id}'`))).toEqual([]);
});
