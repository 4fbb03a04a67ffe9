import { ipv4, translatedIpv4 } from './carried-ipv4.ts';
import { type Cidr, isWithin, parseAddress } from './parse-address.ts';
import { IPV4_MAPPED, NAT64 } from './special-blocks.ts';

/**
 * What connections to an address are counted under. Of IPv6 the first 64 bits: all beneath them is one network's and may be
 * one machine's. Behind a translator it is the IPv4, or all of IPv4 would be one place.
 */
export function placeOfAddress(address: string, translators: readonly Cidr[]): string {
  // IPv4, and a name that a proxy resolves.
  if (!address.includes(':')) return address;
  const parsed = parseAddress(address);
  if (parsed === null) return address;
  if (isWithin(parsed, IPV4_MAPPED) || isWithin(parsed, NAT64)) return dotted(ipv4(parsed.value).value);
  const translator = translators.find((each) => isWithin(parsed, each));
  if (translator !== undefined) return dotted(translatedIpv4(parsed, translator).value);
  return `${(parsed.value >> 64n).toString(16).padStart(16, '0')}::/64`;
}

function dotted(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
}
