import { expect, test } from 'vitest';
import { parseOptions } from './options.ts';

test('a form stands for events, kills and minutes, each of which can be given', () => {
  expect(parseOptions(['--form', 'long'], 5)).toMatchObject({
    events: 100_000,
    kills: 300,
    seed: 5,
    only: [],
  });
  const given = parseOptions(['--only', 'D1,D6', '--kills', '12', '--seed', '7', '--brokers', '3'], 5);
  expect(given).toMatchObject({ only: ['D1', 'D6'], kills: 12, seed: 7, brokers: 3, form: 'ten-minutes' });
});

test('an option that cannot be is refused by name', () => {
  expect(() => parseOptions(['--brokers', '2'], 5)).toThrow('--brokers takes 1 or 3, not 2');
  expect(() => parseOptions(['--form', 'endless'], 5)).toThrow('--form takes');
  expect(() => parseOptions(['--kills', 'many'], 5)).toThrow('--kills takes a count, not many');
});
