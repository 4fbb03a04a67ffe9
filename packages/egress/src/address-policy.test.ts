import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAddressPolicy } from './address-policy.ts';

const strict = createAddressPolicy({ allowedCidrs: [] });
const allows = (address: string, policy = strict) => policy.judgeAddress(address).allowed;

/** The registries once more, written by hand and held in another implementation. */
const NOT_PUBLIC: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];
const NOT_PUBLIC_IPV6: readonly (readonly [string, number])[] = [
  ['::', 3],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2620:4f:8000::', 48],
  ['3ffe::', 16],
  ['3fff::', 20],
  ['4000::', 2],
  ['8000::', 1],
];
// Two lists: a BlockList takes every IPv4 address for its mapped IPv6 form too, and ::/3 would deny them all.
const ipv4Oracle = new BlockList();
const ipv6Oracle = new BlockList();
for (const [address, prefix] of NOT_PUBLIC) ipv4Oracle.addSubnet(address, prefix, 'ipv4');
for (const [address, prefix] of NOT_PUBLIC_IPV6) ipv6Oracle.addSubnet(address, prefix, 'ipv6');

const ipv4Text = (value: number) =>
  [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
const ipv4Number = (text: string) => text.split('.').reduce((value, octet) => value * 256 + Number(octet), 0);

const ipv6Text = (value: bigint) =>
  Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16)).join(
    ':',
  );
const ipv6Number = (text: string) => {
  const [head = '', tail = ''] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const missing = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array<string>(missing).fill('0'), ...groups(tail)];
  return all.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
};

const carriesIpv4 = (value: bigint) =>
  value >> 112n === 0x2002n || ((value >> 32n) & 0xfdff_ffffn) === 0x5efen;

describe('IPv4', () => {
  test.each(NOT_PUBLIC)(
    '%s/%i is denied from its first to its last address, and not beyond',
    (base, prefix) => {
      const first = ipv4Number(base);
      const last = first + 2 ** (32 - prefix) - 1;
      expect(allows(ipv4Text(first))).toBe(false);
      expect(allows(ipv4Text(last))).toBe(false);
      for (const beside of [first - 1, last + 1].filter((value) => value >= 0 && value < 2 ** 32)) {
        expect(allows(ipv4Text(beside))).toBe(!ipv4Oracle.check(ipv4Text(beside), 'ipv4'));
      }
    },
  );

  test('any address is judged as the registry says', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 32 - 1), (value) => {
        expect(allows(ipv4Text(value))).toBe(!ipv4Oracle.check(ipv4Text(value), 'ipv4'));
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([
    '169.254.169.254',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    '169.254.170.2',
    '255.255.255.255',
  ])('what clouds answer their own machines on (%s) is denied', (address) =>
    expect(allows(address)).toBe(false),
  );

  test.each(['8.8.8.8', '1.1.1.1', '100.128.0.1', '172.32.0.1', '168.63.129.17'])(
    '%s is allowed',
    (address) => expect(allows(address)).toBe(true),
  );
});

describe('IPv6', () => {
  test.each(NOT_PUBLIC_IPV6)(
    '%s/%i is denied from its first to its last address, and not beyond',
    (base, prefix) => {
      const first = ipv6Number(base);
      const last = first + (1n << BigInt(128 - prefix)) - 1n;
      // ::/3 holds the translated forms, which are judged by the IPv4 in them; its first address is none of these.
      expect(allows(ipv6Text(first))).toBe(false);
      expect(allows(ipv6Text(last))).toBe(false);
      for (const beside of [first - 1n, last + 1n].filter((value) => value >= 0n && value < 1n << 128n)) {
        expect(allows(ipv6Text(beside))).toBe(!ipv6Oracle.check(ipv6Text(beside), 'ipv6'));
      }
    },
  );

  test('any address is judged as the registry says', () => {
    const anywhere = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });
    const unicast = fc.bigInt({ min: 0n, max: (1n << 125n) - 1n }).map((value) => value | (1n << 125n));
    const near = fc
      .tuple(fc.constantFrom(...NOT_PUBLIC_IPV6), fc.bigInt({ min: -70_000n, max: 70_000n }))
      .map(([[base], distance]) => BigInt.asUintN(128, ipv6Number(base) + distance));
    fc.assert(
      fc.property(fc.oneof(anywhere, unicast, near), (value) => {
        fc.pre(!carriesIpv4(value));
        expect(allows(ipv6Text(value))).toBe(!ipv6Oracle.check(ipv6Text(value), 'ipv6'));
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    '::',
    '::1',
    '::7f00:1',
    '::8.8.8.8',
    'fe80::1',
    'fc00::1',
    'fd00:ec2::254',
    'fd20:ce::254',
    'ff02::1',
    '100::1',
    '64:ff9b:1::808:808',
    '2001:0:808:808::1',
    '2001:2::1',
    '2001:20::1',
    '5f00::1',
  ])('%s is denied', (address) => expect(allows(address)).toBe(false));

  test.each([
    '2606:4700:4700::1111',
    '2a00:1450:4001::1',
    '2001:200::1',
    '2001:4860:4860::8888',
    '2620:4f:8001::1',
  ])('%s is allowed', (address) => expect(allows(address)).toBe(true));
});

describe('an IPv6 address that carries an IPv4 is judged by it', () => {
  const hex = (value: number) =>
    `${Math.floor(value / 65_536).toString(16)}:${(value % 65_536).toString(16)}`;
  const forms: readonly (readonly [string, (value: number) => string])[] = [
    ['mapped', (value) => `::ffff:${ipv4Text(value)}`],
    ['mapped in hex', (value) => `::ffff:${hex(value)}`],
    ['translated (NAT64)', (value) => `64:ff9b::${hex(value)}`],
    ['6to4', (value) => `2002:${hex(value)}::1`],
    ['ISATAP', (value) => `2606:4700::5efe:${ipv4Text(value)}`],
    ['ISATAP with a public IPv4 flagged', (value) => `2606:4700::200:5efe:${ipv4Text(value)}`],
  ];
  test.each(forms)('%s', (_, write) => {
    const interesting = fc.constantFrom(...NOT_PUBLIC.map(([base]) => ipv4Number(base) + 1));
    fc.assert(
      fc.property(fc.oneof(fc.nat(2 ** 32 - 1), interesting), (value) => {
        expect(allows(write(value))).toBe(allows(ipv4Text(value)));
      }),
    );
  });
});

describe("the operator's blocks", () => {
  const open = createAddressPolicy({ allowedCidrs: ['127.0.0.0/8', 'fd00:1::/32', '10.1.2.3'] });

  test('open what they name', () => {
    expect(allows('127.0.0.1', open)).toBe(true);
    expect(allows('::ffff:127.0.0.1', open)).toBe(true);
    expect(allows('10.1.2.3', open)).toBe(true);
    expect(allows('fd00:1:ffff::1', open)).toBe(true);
  });

  test('and nothing beside it', () => {
    for (const address of [
      '126.255.255.255',
      '10.1.2.2',
      '10.1.2.4',
      'fd00:2::1',
      'fd00::ffff',
      '::1',
      '169.254.169.254',
    ]) {
      expect(allows(address, open)).toBe(allows(address));
    }
  });

  test('not by way of a translating gateway', () => {
    expect(allows('64:ff9b::127.0.0.1', open)).toBe(false);
    expect(allows('2002:7f00:1::', open)).toBe(false);
  });

  test.each([
    '',
    '10.0.0.0/33',
    '10.0.0.1/8',
    '::/129',
    'fe80::1%eth0/64',
    '10/8',
    'localhost',
    '10.0.0.0/08',
    '::ffff:10.0.0.0/104',
  ])('%j is refused when the policy is made', (cidr) =>
    expect(() => createAddressPolicy({ allowedCidrs: [cidr] })).toThrow(RangeError),
  );
});

describe("the operator's denied blocks", () => {
  const closed = createAddressPolicy({
    allowedCidrs: ['10.0.0.0/8', 'fd00::/8'],
    deniedCidrs: ['10.9.0.0/16', '8.8.8.0/24', '2606:4700::/32', 'fd00:9::/32'],
    deniedHosts: ['1.1.1.1', '*.example.com'],
  });

  test('win over what is open, and over what is public', () => {
    for (const address of ['10.9.0.1', '8.8.8.8', '2606:4700::1', 'fd00:9::1', '1.1.1.1']) {
      expect(closed.judgeAddress(address)).toMatchObject({ allowed: false, why: 'denied_address' });
    }
    for (const address of ['10.8.0.1', '8.8.9.8', '2606:4701::1', 'fd00:8::1', '1.1.1.2']) {
      expect(allows(address, closed), address).toBe(true);
    }
  });

  test('hold for what is carried as well', () => {
    for (const address of ['::ffff:8.8.8.8', '64:ff9b::8.8.8.8', '2002:808:808::1', '2a00::5efe:8.8.8.8']) {
      expect(closed.judgeAddress(address), address).toMatchObject({ why: 'denied_address' });
    }
  });
});

describe('a translator of the operator', () => {
  const prefixes = [
    '2a00:64::/96',
    '2a00:32::/32',
    '2a00:4000::/40',
    '2a00:48::/48',
    '2a00:56:0:ff00::/56',
    '2a00:0:0:64::/64',
  ];
  const translating = createAddressPolicy({ allowedCidrs: [], nat64Prefixes: prefixes });

  // The forms of RFC 6052 section 2.4, for 10.0.0.33 and 8.8.8.33.
  test.each([
    ['2a00:64::a00:21', '2a00:64::808:821'],
    ['2a00:32:a00:21::', '2a00:32:808:821::'],
    ['2a00:4000:a:0:21::', '2a00:4000:8:808:21::'],
    ['2a00:48:0:a00:0:2100::', '2a00:48:0:808:8:2100::'],
    ['2a00:56:0:ff0a:0:21::', '2a00:56:0:ff08:8:821::'],
    ['2a00:0:0:64:a:0:2100:0', '2a00:0:0:64:8:808:2100:0'],
  ])('carries IPv4 that is judged: %s is denied, %s is not', (inner, outer) => {
    expect(allows(inner, translating)).toBe(false);
    expect(allows(inner)).toBe(true);
    expect(allows(outer, translating)).toBe(true);
  });

  test.each(['10.0.0.0/8', '2a00::/97', '2a00::/31', '2a00::1/96', 'nonsense'])('is not %j', (prefix) =>
    expect(() => createAddressPolicy({ allowedCidrs: [], nat64Prefixes: [prefix] })).toThrow(RangeError),
  );
});

test('what carries inner IPv4 stays closed within a block that is open', () => {
  const open = createAddressPolicy({ allowedCidrs: ['2000::/3', '64:ff9b::/96', '::1/128'] });
  for (const address of [
    '2002:a00:1::1',
    '64:ff9b::a9fe:a9fe',
    '2001:0:7f00:1::1',
    '2606::5efe:127.0.0.1',
    '::',
  ]) {
    expect(allows(address, open), address).toBe(false);
  }
  expect(allows('::1', open)).toBe(true);
});

test.each([
  ['169.254.169.254', 'link local; cloud metadata at 169.254.169.254 (169.254.0.0/16)'],
  ['fd00:ec2::254', 'unique local'],
  ['64:ff9b::a00:1', 'private use (10.0.0.0/8)'],
  ['2001:0:7f00:1::', 'loopback (127.0.0.0/8)'],
  ['::ffff:0:8.8.8.8', 'IPv4-translated'],
  ['4000::1', 'not in 2000::/3'],
])('operators read why %s is denied', (address, why) =>
  expect(strict.judgeAddress(address)).toMatchObject({
    allowed: false,
    why: 'special_address',
    reason: expect.stringContaining(why),
  }),
);

describe('an address as text', () => {
  test.each([
    '127.1',
    '0x7f000001',
    '2130706433',
    '0177.0.0.1',
    '8.8.8.08',
    '8.8.8.256',
    '8.8.8',
    '8.8.8.8.',
    ' 8.8.8.8',
    '8.8.8.8%eth0',
    'fe80::1%eth0',
    '2606:4700::1%1',
    '2606:4700:1',
    '2606::4700::1',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '2606:47000::1',
    '2606:4700::1.2.3',
    '1.2.3.4::',
    ':::',
    '',
  ])('%j is refused, however others would read it', (text) =>
    expect(strict.judgeAddress(text)).toMatchObject({
      allowed: false,
      reason: expect.stringContaining('not an address'),
    }),
  );

  test('is the same address in every spelling', () => {
    const groups = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, (parts) => {
        const written = parts.map((part) => part.toString(16));
        const canonical = new URL(`http://[${written.join(':')}]`).hostname.slice(1, -1);
        const spellings = [
          written.join(':').toUpperCase(),
          written.map((part) => part.padStart(4, '0')).join(':'),
          canonical,
        ];
        expect(new Set(spellings.map((text) => allows(text))).size).toBe(1);
      }),
    );
  });

  test('is read only if the platform reads it too', () => {
    const fragments = fc.constantFrom(':', '::', '.', '1', '0', 'ffff', '255', '256', '%', 'g', '01');
    fc.assert(
      fc.property(
        fc.array(fragments, { maxLength: 18 }).map((parts) => parts.join('')),
        (text) => {
          const verdict = strict.judgeAddress(text);
          const isRead = verdict.allowed || !verdict.reason.endsWith('is not an address');
          expect(isRead).toBe(isIP(text) !== 0 && !text.includes('%'));
        },
      ),
      { numRuns: 3_000 },
    );
  });
});
