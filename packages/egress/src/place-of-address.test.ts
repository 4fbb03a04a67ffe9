import { expect, test } from 'vitest';
import { parseTranslator } from './carried-ipv4.ts';
import { placeOfAddress } from './place-of-address.ts';

const translators = [parseTranslator('2001:db8:64::/96')];

test.each([
  ['an IPv4 address is a place', '203.0.113.7', '203.0.113.7'],
  ['a name for a proxy is a place', 'hooks.example.com', 'hooks.example.com'],
  ['a mapped address is the place of its IPv4', '::ffff:203.0.113.7', '203.0.113.7'],
  ['so is one behind NAT64', '64:ff9b::cb00:7107', '203.0.113.7'],
  ['so is one behind a NAT64 of the operator', '2001:db8:64::cb00:7107', '203.0.113.7'],
  ['an IPv6 network of 64 bits is one place', '2001:db8:1:2:3:4:5:6', '20010db800010002::/64'],
  ['an IPv6 network of 64 bits is one place, to its last address', '2001:db8:1:2::', '20010db800010002::/64'],
])('%s', (_what, address, place) => {
  expect(placeOfAddress(address, translators)).toBe(place);
});
