import { integer } from '@posthorn/runtime';
import { expect, test } from 'vitest';
import { loadSpecs, type ServiceSpec } from './configuration.ts';
import { constantOf, engineTable } from './engine-table.ts';

const specs = await loadSpecs();

test.each([
  ['export const NAME = 42;', 42],
  ['const NAME = 16 * 1_024;', 16_384],
  ['const NAME = 60_000 + 5_000;', 65_000],
  ['const DEFAULTS = {\n  NAME: 0.25,\n};', 0.25],
])('%j names %d', (source, value) => {
  expect(constantOf(source, 'NAME', 'file.ts')).toBe(value);
});

test.each([
  'const OTHER = 1;',
  'const NAME = elsewhere;',
  'const A_NAME = 1;',
  'const NAME = 1; let x = { NAME: 2, };',
])('%j has not one number of that name, which stops the generator', (source) => {
  expect(() => constantOf(source, 'NAME', 'file.ts')).toThrow(/file\.ts has \d numbers called "NAME"/);
});

test('a limit that a service declares and no part names stands in the table all the same', () => {
  const more: ServiceSpec = {
    service: 'recorder',
    spec: { limit: integer('NEW_LIMIT', { min: 1, max: 9, fallback: '3', unit: 'x', doc: 'A limit.' }) },
  };
  expect(engineTable([...specs, more])).toContain('| Other | `NEW_LIMIT` | `3` | x | recorder | A limit. |');
});

test('a key that is gone stops the generator', () => {
  const without = specs.filter(({ service }) => service !== 'worker');
  expect(() => engineTable(without)).toThrow('no service declares "worker: MAX_CONCURRENT_ATTEMPTS"');
});

test('no limit stands in the table twice', () => {
  const rows = engineTable(specs).split('\n');
  expect(new Set(rows).size).toBe(rows.length);
});
