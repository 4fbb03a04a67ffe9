import { integer, secret, text } from '@posthorn/runtime';
import { expect, test } from 'vitest';
import { readText } from '../checks/repository.ts';
import { configurationPage, envExample, loadSpecs, type ServiceSpec } from './configuration.ts';

const specs: ServiceSpec[] = [
  {
    service: 'one',
    spec: {
      port: integer('PORT', { min: 1, max: 9, fallback: '3', unit: 'x', doc: 'A port.' }),
      key: secret('KEY', { fallback: 'hunter2', doc: 'A key.' }),
    },
  },
  { service: 'two', spec: { name: text('NAME', { doc: 'A | name.' }) } },
];

test('docs/configuration.md and .env.example are what the services declare', async () => {
  const declared = await loadSpecs();
  expect(readText('docs/configuration.md')).toBe(configurationPage(declared));
  expect(readText('.env.example')).toBe(envExample(declared));
});

test('a key is shown with default, unit, what is expected and what it means', () => {
  expect(configurationPage(specs, '')).toContain('| `PORT` | `3` | x | an integer from 1 to 9 | A port. |');
});

test('a key without a default is required, and its text cannot break the table', () => {
  expect(configurationPage(specs, '')).toContain('| `NAME` | **required** |  | text | A \\| name. |');
});

test('the default of a secret is shown nowhere', () => {
  expect(configurationPage(specs, '') + envExample(specs)).not.toContain('hunter2');
});

test('the example names each key once with the services that read it', () => {
  const twice = [...specs, { service: 'three', spec: { name: text('NAME', { doc: 'A | name.' }) } }];
  const example = envExample(twice);
  expect(example.match(/^# NAME=/gm)).toHaveLength(1);
  expect(example).toContain('# A | name. (two, three)\n# Expected: text. Required.\n# NAME=\n');
  expect(example).toContain('# PORT=3');
});
