/** An IP address as a number: two spellings of one address are one value. */
export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
}

export interface Cidr extends Address {
  readonly prefixBits: number;
}

const FAMILY_BITS = { 4: 32, 6: 128 } as const;
const OCTET = /^(0|[1-9]\d{0,2})$/;
const HEX_GROUP = /^[0-9a-f]{1,4}$/i;
const PREFIX_LENGTH = /^(0|[1-9]\d{0,2})$/;
const LONGEST_ADDRESS_TEXT = 45;

/**
 * Strict: dotted IPv4 of four decimal octets without leading zeros, IPv6 as in RFC 4291 section 2.2. Zone ids, octal,
 * hex and short forms are refused, because different resolvers read them differently.
 */
export function parseAddress(text: string): Address | null {
  if (text.length > LONGEST_ADDRESS_TEXT) return null;
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): Address | null {
  const octets = text.split('.');
  if (octets.length !== 4) return null;
  let value = 0n;
  for (const octet of octets) {
    if (!OCTET.test(octet)) return null;
    const number = Number(octet);
    if (number > 255) return null;
    value = (value << 8n) | BigInt(number);
  }
  return { family: 4, value };
}

function parseIpv6(text: string): Address | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1]!, true) : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  // "::" stands for at least one group; without it there must be all eight.
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  let value = 0n;
  for (const group of head) value = (value << 16n) | group;
  value <<= BigInt(16 * missing);
  for (const group of tail) value = (value << 16n) | group;
  return { family: 6, value };
}

/** Only the last groups of an address may be written as dotted IPv4. */
function parseGroups(text: string, isEnd: boolean): bigint[] | null {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: bigint[] = [];
  for (const [index, part] of parts.entries()) {
    if (isEnd && index === parts.length - 1 && part.includes('.')) {
      const ipv4 = parseIpv4(part);
      if (ipv4 === null) return null;
      groups.push(ipv4.value >> 16n, ipv4.value & 0xffffn);
    } else if (HEX_GROUP.test(part)) {
      groups.push(BigInt(`0x${part}`));
    } else {
      return null;
    }
  }
  return groups;
}

/** `address/bits`, or an address alone for just that one. Bits beyond the prefix must be zero: a typo shows. */
export function parseCidr(text: string): Cidr | null {
  const slash = text.indexOf('/');
  const address = parseAddress(slash === -1 ? text : text.slice(0, slash));
  if (address === null) return null;
  const familyBits = FAMILY_BITS[address.family];
  if (slash === -1) return { ...address, prefixBits: familyBits };
  const bits = text.slice(slash + 1);
  if (!PREFIX_LENGTH.test(bits) || Number(bits) > familyBits) return null;
  const cidr = { ...address, prefixBits: Number(bits) };
  const hostBits = BigInt(familyBits - cidr.prefixBits);
  return (address.value >> hostBits) << hostBits === address.value ? cidr : null;
}

export function isWithin(address: Address, cidr: Cidr): boolean {
  if (address.family !== cidr.family) return false;
  const hostBits = BigInt(FAMILY_BITS[cidr.family] - cidr.prefixBits);
  return address.value >> hostBits === cidr.value >> hostBits;
}
