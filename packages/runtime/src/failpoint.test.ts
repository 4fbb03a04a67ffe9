import { afterEach, expect, test } from 'vitest';
import { armFailpoint, failpoint } from './failpoint.ts';

let deaths = 0;
const arm = (text: string | undefined) => {
  deaths = 0;
  armFailpoint(text, () => {
    deaths += 1;
  });
};

afterEach(() => armFailpoint(undefined));

test('nothing dies unless it was told to at the start', () => {
  arm(undefined);
  failpoint('before-journal');
  expect(deaths).toBe(0);
});

test('it dies once, at the named place and at the pass asked for', () => {
  arm('before-journal:3');
  failpoint('after-journal');
  const after = [1, 2, 3, 4].map(() => {
    failpoint('before-journal');
    return deaths;
  });
  expect(after).toEqual([0, 0, 1, 1]);
});

test('without a number it dies at the first pass', () => {
  arm('after-2xx');
  failpoint('after-2xx');
  expect(deaths).toBe(1);
});

test('a death that is to find something under way comes later', async () => {
  const died = new Promise<void>((resolve) => armFailpoint('mid-request', resolve));
  failpoint('mid-request', 1);
  await died;
});

test('a name that is no failpoint stops the start, and says which there are', () => {
  expect(() => arm('after-lunch')).toThrow('POSTHORN_FAILPOINT is "after-lunch": expected <name>[:<nth>]');
  expect(() => arm('after-2xx:soon')).toThrow('after-2xx:soon');
});
