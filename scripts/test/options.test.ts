import { expect, it } from 'vitest';
import { parseOptions } from './options.ts';

it('runs everything when nothing is asked for', () => {
  expect(parseOptions([])).toMatchObject({ everything: true, only: undefined, vitestArgs: [] });
});

it('takes one kind of tests, and gives what it does not know on to Vitest', () => {
  expect(parseOptions(['--only', 'unit', '--', 'packages/signing', '-t', 'a name'])).toMatchObject({
    everything: false,
    only: 'unit',
    vitestArgs: ['packages/signing', '-t', 'a name'],
  });
});

it('names the kind of tests that there is not', () => {
  expect(() => parseOptions(['--only', 'fast'])).toThrow('--only takes unit, integration, system, not fast');
});
