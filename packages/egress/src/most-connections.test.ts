import { expect, test } from 'vitest';
import { mostConnections } from './most-connections.ts';

const limits = (soft: string) =>
  `Limit                     Soft Limit           Hard Limit           Units     \nMax open files            ${soft}                 1048576              files     \n`;

test.each([
  ['within three quarters of the descriptors', 4_096, limits('1024'), 768],
  ['as wanted where there are more of these', 4_096, limits('1048576'), 4_096],
  ['as wanted where they are without limit', 4_096, limits('unlimited'), 4_096],
  ['as wanted where nobody says', 4_096, null, 4_096],
  ['one at least', 4_096, limits('1'), 1],
])('connections are %s', (_what, wanted, text, most) => {
  expect(mostConnections(wanted, text)).toBe(most);
});

test('this machine is asked where nothing is said', () => {
  expect(mostConnections(2)).toBe(2);
});
