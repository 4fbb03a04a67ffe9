import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAddressPolicy } from './address-policy.ts';
import { egressGrammar } from './egress-config.ts';
import { parseHostPattern } from './host-pattern.ts';
import { hasPassed } from './loop-header.ts';
import { parsePortRule } from './port-rule.ts';

describe('a pattern of hosts', () => {
  test.each<[string, string[], string[]]>([
    ['api.example.com', ['api.example.com'], ['a.api.example.com', 'example.com', 'xapi.example.com']],
    [
      '*.example.com',
      ['a.example.com', 'a.b.example.com'],
      ['example.com', 'aexample.com', 'a.example.com.org'],
    ],
    ['db-*.example.com', ['db-1.example.com', 'db-a.b.example.com'], ['db-.example.com', 'db.example.com']],
    ['*-inner.*', ['db-inner.example.com'], ['-inner.example.com', 'db-inner.', 'inner.example.com']],
    ['*a*a*', ['xaxax', 'aaaaa'], ['aa', 'xaax', 'bbbbb']],
    ['API.Example.COM.', ['api.example.com'], []],
    ['*.bücher.example', ['a.xn--bcher-kva.example'], ['bücher.example']],
  ])('%s', (pattern, those, others) => {
    const isMeant = parseHostPattern(pattern);
    expect(those.filter((name) => !isMeant(name))).toEqual([]);
    expect(others.filter(isMeant)).toEqual([]);
  });

  test('means what the same pattern means with any characters for each star', () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 3 });
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 2, maxLength: 4 }),
        fc.array(part, { maxLength: 6 }),
        (parts, drawn) => {
          const pattern = parts.join('*');
          const name = drawn.join('');
          const regular = new RegExp(`^${parts.join('.+')}$`);
          expect(parseHostPattern(pattern)(name)).toBe(regular.test(name));
        },
      ),
    );
  });

  test.each(['', 'a..b', 'http://example.com', 'a b', 'a/b', '[::1]', '?', 'a:80'])('is not %j', (text) =>
    expect(() => parseHostPattern(text)).toThrow(RangeError),
  );
});

describe('ports', () => {
  test.each(['0', '65536', '80-79', '-1', '80-', 'http', '8o', '80-90-100', ''])('are not %j', (text) =>
    expect(() => parsePortRule([text])).toThrow(RangeError),
  );

  test('are those listed and no others, whatever is asked', () => {
    const isAllowed = parsePortRule(['443', '8000-8002'], [8001]);
    const open = Array.from({ length: 65_536 }, (_, port) => port).filter(isAllowed);
    expect(open).toEqual([443, 8000, 8002]);
  });
});

test.each([
  '',
  'a b',
  '[::1',
  '127.0.0.1:',
  'example.com:http',
  'example.com:70000',
  '::1:80:',
  '[example.com]:80',
  '[::1]:99999',
])('this system is not at %j', (ownHost) =>
  expect(() => createAddressPolicy({ allowedCidrs: [], ownHosts: [ownHost] })).toThrow(RangeError),
);

describe("the operator's texts", () => {
  test('are lists, in which spaces and empty parts say nothing', () => {
    expect(egressGrammar.cidrs(' 10.0.0.0/8 ,, fd00::/8,')).toEqual(['10.0.0.0/8', 'fd00::/8']);
    expect(egressGrammar.nameServers('192.0.2.53, [2001:db8::53]:5353')).toHaveLength(2);
    expect(egressGrammar.ports('')).toEqual([]);
  });

  test.each<[keyof typeof egressGrammar, string]>([
    ['cidrs', '10.0.0.0/8,10.0.0.1/8'],
    ['deniedCidrs', 'internal'],
    ['ports', '443,web'],
    ['hosts', 'a.example,https://b.example'],
    ['nat64Prefixes', '64:ff9b::/95'],
    ['ownHosts', 'api.example.com/v1'],
    ['nameServers', 'dns.example.com'],
  ])('%s that are wrong say which: %j', (grammar, text) => {
    expect(() => egressGrammar[grammar](text)).toThrow(text.split(',').at(-1)!);
  });
});

test.each<[string | undefined, boolean]>([
  [undefined, false],
  ['', false],
  ['posthorn', true],
  ['POSTHORN; v=1', true],
  ['a, b;x=y ,posthorn', true],
  ['a;posthorn', false],
  ['posthorn-2, x.posthorn', false],
])('a request whose cdn-loop reads %j has passed here: %s', (value, passed) => {
  expect(hasPassed(value, 'posthorn')).toBe(passed);
});
