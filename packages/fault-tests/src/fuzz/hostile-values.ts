import type { Random } from '../random.ts';

/** Texts that have broken other systems: quoting, encodings, sizes, names with a meaning, terminal and log control. */
const TEXTS: readonly string[] = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\r\nX-Injected: 1',
  '{"level":"fatal"}\n{"level":"info","msg":"forged"}',
  '\u001b[2J\u001b[31mred',
  '\u202ereversed',
  '\ud800',
  '\uffff',
  'é',
  'e\u0301',
  'аcme',
  '../../etc/passwd',
  '..%2f..%2fetc',
  '%',
  '%00',
  '%ff%fe',
  "' or 1=1 --",
  '$1; drop table tenants',
  '<script>alert(1)</script>',
  '=cmd|calc',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'null',
  'true',
  '-1',
  '1e309',
  '9'.repeat(400),
  'a'.repeat(300),
  'x'.repeat(70_000),
  '2026-13-45T99:99:99Z',
  '0000-00-00T00:00:00Z',
  '+275760-09-13T00:00:00.001Z',
  'http://127.0.0.1:1/',
  'http://[::1]/',
  'file:///etc/passwd',
  'https://user:pw@hooks.example/',
  'urn:uuid:0',
  'ep_00000000000000000000000000000000',
  'ffffffff-ffff-7fff-bfff-ffffffffffff',
  'ffffffff-ffff-7fff-bfff-ffffffffffff_0123456789abcdef',
  '000001f4-0000-7000-8000-000000000000',
  '*',
  '.*',
  'a.*.b',
  '$\u007bjndi:ldap://x}',
];

const NUMBERS: readonly number[] = [
  0,
  -0,
  -1,
  0.5,
  1,
  2 ** 31,
  -(2 ** 31) - 1,
  2 ** 53,
  1e21,
  1e308,
  5e-324,
  -1e308,
];

const DEPTH = 5_000;
const WIDTH = 5_000;

export const hostileText = (random: Random): string => random.pick(TEXTS);

/** A value of any kind, as the JSON text of it: some have no value in JavaScript. */
export function hostileJson(random: Random): string {
  switch (Math.floor(random.between(0, 10))) {
    case 0:
      return '['.repeat(DEPTH) + ']'.repeat(DEPTH);
    case 1:
      return `{${Array.from({ length: WIDTH }, (_, i) => `"k${i}":${i}`).join()}}`;
    case 2:
      return `{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}`;
    case 3:
      return `1${'0'.repeat(2_000)}`;
    case 4:
      return '-1e99999';
    case 5:
      return 'null';
    case 6:
      return random.pick(['true', '[]', '{}', '[null]', '[[]]', '{"":""}', '"\\ud800"', '"\\u0000"']);
    case 7:
      return String(random.pick(NUMBERS));
    default:
      return JSON.stringify(hostileText(random));
  }
}
