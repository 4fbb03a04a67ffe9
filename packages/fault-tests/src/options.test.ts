import { expect, test } from 'vitest';
import { parseOptions } from './options.ts';
import { chooseScenarios, SCENARIOS } from './scenarios/index.ts';

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

test('the version before is a folder that is given, or there is none', () => {
  expect(parseOptions([], 5).previous).toBeUndefined();
  expect(parseOptions(['--previous', '../before'], 5).previous).toBe('../before');
});

test('an option that cannot be is refused by name', () => {
  expect(() => parseOptions(['--brokers', '2'], 5)).toThrow('--brokers takes 1 or 3, not 2');
  expect(() => parseOptions(['--form', 'endless'], 5)).toThrow('--form takes');
  expect(() => parseOptions(['--kills', 'many'], 5)).toThrow('--kills takes a count, not many');
});

test('a form runs its scenarios, and --only those that are named', () => {
  expect(chooseScenarios('long', [])).toEqual(SCENARIOS);
  expect(chooseScenarios('ten-minutes', []).length).toBeLessThan(SCENARIOS.length);
  expect(chooseScenarios('long', ['D6']).map(({ id }) => id)).toEqual(['D6']);
  expect(() => chooseScenarios('long', ['D6', 'D99'])).toThrow('--only D99: there is no such scenario');
});

test('each scenario has an id of its own', () => {
  const ids = SCENARIOS.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});
