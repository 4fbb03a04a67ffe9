import { type Cidr, parseCidr } from './parse-address.ts';

/**
 * IPv4 that is not public unicast: the whole IANA special-purpose registry (RFC 6890 and its successors, also the
 * blocks that are globally reachable but serve no web receiver), multicast, and addresses inside public space where
 * clouds put what answers only their own machines.
 */
export const DENIED_IPV4 = parseAll([
  ['0.0.0.0/8', 'this network'],
  ['10.0.0.0/8', 'private use'],
  ['100.64.0.0/10', 'carrier-grade NAT; Alibaba metadata at 100.100.100.200'],
  ['127.0.0.0/8', 'loopback'],
  ['168.63.129.16/32', 'Azure platform'],
  ['169.254.0.0/16', 'link local; cloud metadata at 169.254.169.254'],
  ['172.16.0.0/12', 'private use'],
  ['192.0.0.0/24', 'IETF protocol assignments; Oracle metadata at 192.0.0.192'],
  ['192.0.2.0/24', 'documentation'],
  ['192.31.196.0/24', 'AS112'],
  ['192.52.193.0/24', 'AMT'],
  ['192.88.99.0/24', '6to4 relay anycast'],
  ['192.168.0.0/16', 'private use'],
  ['192.175.48.0/24', 'AS112 direct delegation'],
  ['198.18.0.0/15', 'benchmarking'],
  ['198.51.100.0/24', 'documentation'],
  ['203.0.113.0/24', 'documentation'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved and broadcast'],
]);

/** All IPv6 that can be public unicast. What is not in here is denied, also where no block below says why. */
export const PUBLIC_IPV6 = one('2000::/3');

/** Special blocks within 2000::/3 (IANA registry), and, so that operators read why, the best known ones beside it. */
export const DENIED_IPV6 = parseAll([
  ['::/128', 'unspecified'],
  ['::1/128', 'loopback'],
  ['::/96', 'IPv4-compatible'],
  ['::ffff:0:0:0/96', 'IPv4-translated'],
  ['64:ff9b:1::/48', 'local translation between IPv4 and IPv6'],
  ['100::/64', 'discard only'],
  ['100:0:0:1::/64', 'dummy prefix'],
  ['2001::/32', 'Teredo'],
  ['2001::/23', 'IETF protocol assignments: benchmarking, ORCHID, DRIP, AMT, AS112, anycasts of protocols'],
  ['2001:db8::/32', 'documentation'],
  ['2620:4f:8000::/48', 'AS112 direct delegation'],
  ['3ffe::/16', 'former 6bone'],
  ['3fff::/20', 'documentation'],
  ['5f00::/16', 'segment routing'],
  [
    'fc00::/7',
    'unique local; cloud metadata at fd00:ec2::254, fd20:ce::254, fd00:c1::a9fe:a9fe, fd00:42::42',
  ],
  ['fe80::/10', 'link local; OpenStack metadata at fe80::a9fe:a9fe'],
  ['fec0::/10', 'former site local'],
  ['ff00::/8', 'multicast'],
]);

export const IPV4_MAPPED = one('::ffff:0:0/96');
export const IPV4_COMPATIBLE = one('::/96');
/** RFC 2765 section 2.1, not to be taken for the mapped ones: `::ffff:0:a.b.c.d`. */
export const IPV4_TRANSLATED = one('::ffff:0:0:0/96');
export const NAT64 = one('64:ff9b::/96');
export const SIX_TO_FOUR = one('2002::/16');
export const TEREDO = one('2001::/32');

export const IPV4_LOOPBACK = one('127.0.0.1/32');

export interface DeniedBlock {
  readonly cidr: Cidr;
  /** As written, for operators. */
  readonly text: string;
  readonly why: string;
}

function parseAll(blocks: readonly (readonly [string, string])[]): readonly DeniedBlock[] {
  return blocks.map(([text, why]) => ({ cidr: one(text), text, why }));
}

function one(text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr === null) throw new RangeError(`not a CIDR: ${text}`);
  return cidr;
}
