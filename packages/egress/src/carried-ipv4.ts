import { type Address, type Cidr, isWithin, parseCidr } from './parse-address.ts';
import { IPV4_COMPATIBLE, IPV4_TRANSLATED, NAT64, SIX_TO_FOUR, TEREDO } from './special-blocks.ts';

/** Prefix lengths that RFC 6052 section 2.2 gives to translators. */
const TRANSLATOR_BITS: ReadonlySet<number> = new Set([32, 40, 48, 56, 64, 96]);
const IPV4_MASK = 0xffff_ffffn;

/** @throws {RangeError} for what is no prefix of a translator. */
export function parseTranslator(text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr === null || cidr.family !== 6 || !TRANSLATOR_BITS.has(cidr.prefixBits)) {
    throw new RangeError(
      `"${text}" is no NAT64 prefix of 32, 40, 48, 56, 64 or 96 bits, such as 64:ff9b::/96`,
    );
  }
  return cidr;
}

/**
 * Every IPv4 that gateways and tunnels may read out of an IPv6 address; a mapped one is none of these, as the kernel
 * itself dials its IPv4. Teredo carries two: its server, and its client with all bits inverted (RFC 4380 section 4).
 */
export function carriedIpv4(address: Address, translators: readonly Cidr[]): readonly Address[] {
  const { value } = address;
  const carried: Address[] = [];
  for (const translator of translators) {
    if (isWithin(address, translator)) carried.push(translatedIpv4(address, translator));
  }
  const endsInIt = [NAT64, IPV4_COMPATIBLE, IPV4_TRANSLATED].some((block) => isWithin(address, block));
  // `::` and `::1` are among the compatible ones, but carry nothing.
  if ((endsInIt && value > 1n) || isIsatap(value)) carried.push(ipv4(value));
  if (isWithin(address, SIX_TO_FOUR)) carried.push(ipv4(value >> 80n));
  if (isWithin(address, TEREDO)) carried.push(ipv4(value >> 64n), ipv4(~value));
  return carried;
}

/** RFC 6052 section 2.2: the IPv4 follows the prefix, but for the eight bits from the 64th on, which say nothing. */
export function translatedIpv4({ value }: Address, { prefixBits }: Cidr): Address {
  if (prefixBits === 96) return ipv4(value);
  const withoutGap = ((value >> 64n) << 56n) | (value & ((1n << 56n) - 1n));
  return ipv4(withoutGap >> BigInt(120 - prefixBits - 32));
}

/** RFC 5214 section 6.1: an interface identifier 0000:5efe or 0200:5efe, then the IPv4, under any prefix. */
function isIsatap(value: bigint): boolean {
  const marker = (value >> 32n) & IPV4_MASK;
  return marker === 0x0000_5efen || marker === 0x0200_5efen;
}

export function ipv4(value: bigint): Address {
  return { family: 4, value: value & IPV4_MASK };
}
