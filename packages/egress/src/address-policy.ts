import { DEFAULT_DENIED_PORTS } from './denied-ports.ts';
import type { Target } from './outbound.ts';
import { type Address, type Cidr, isWithin, parseAddress, parseCidr } from './parse-address.ts';
import { isLocalhost, isNameWithin, isReservedName } from './reserved-hosts.ts';
import {
  DENIED_IPV4,
  DENIED_IPV6,
  type DeniedBlock,
  IPV4_LOOPBACK,
  IPV4_MAPPED,
  NAT64,
  PUBLIC_IPV6,
  SIX_TO_FOUR,
} from './special-blocks.ts';

export interface AddressPolicyOptions {
  /** Blocks that the operator opens though they are not public, such as `127.0.0.0/8` for a receiver in a demo. */
  readonly allowedCidrs: readonly string[];
  /** Replaces the default list (`DEFAULT_DENIED_PORTS`). */
  readonly deniedPorts?: readonly number[];
  readonly httpsOnly?: boolean;
  /** Hosts refused with all names beneath them, such as the one under which this system's own API is reached. */
  readonly deniedHosts?: readonly string[];
}

export type Verdict = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };

export type TargetFault = 'url_scheme' | 'url_port' | 'url_host_reserved' | 'url_address_blocked';

export type TargetVerdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly code: TargetFault; readonly detail: string };

/** What may be called. One policy judges URLs when they are registered and addresses when they are dialled. */
export interface AddressPolicy {
  /** An address as text, strictly spelt. The reason is for operators. */
  judgeAddress(address: string): Verdict;
  /** Protocol, port and host, without asking DNS. The detail may be shown to the tenant. */
  judgeTarget(target: Pick<Target, 'protocol' | 'hostname' | 'port'>): TargetVerdict;
}

const ALLOWED = { allowed: true } as const;

/** @throws {RangeError} if a CIDR of the operator's is malformed. */
export function createAddressPolicy(options: AddressPolicyOptions): AddressPolicy {
  const allowedCidrs = options.allowedCidrs.map(parseOperatorCidr);
  const deniedPorts = new Set(options.deniedPorts ?? DEFAULT_DENIED_PORTS);
  const deniedHosts = new Set(
    (options.deniedHosts ?? []).map((host) => host.toLowerCase().replace(/\.$/, '')),
  );
  const loopbackIsOpen = allowedCidrs.some((cidr) => isWithin(IPV4_LOOPBACK, cidr));

  function judgeAddress(text: string): Verdict {
    const address = parseAddress(text);
    return address === null ? deny(`${text} is not an address`) : judgeParsed(address, allowedCidrs);
  }

  function judgeHost(hostname: string): TargetVerdict {
    if (isNameWithin(hostname, deniedHosts)) return refuse('url_host_reserved', 'this host may not be used');
    if (parseAddress(hostname) !== null) {
      if (judgeAddress(hostname).allowed) return ALLOWED;
      return refuse('url_address_blocked', 'the address is not a public one');
    }
    if (loopbackIsOpen && isLocalhost(hostname)) return ALLOWED;
    if (!isReservedName(hostname)) return ALLOWED;
    return refuse('url_host_reserved', 'the host must be a public name with a dot in it');
  }

  function judgeTarget({
    protocol,
    hostname,
    port,
  }: Pick<Target, 'protocol' | 'hostname' | 'port'>): TargetVerdict {
    if (options.httpsOnly && protocol !== 'https:')
      return refuse('url_scheme', 'the URL must start with https://');
    if (port < 1 || port > 65_535 || deniedPorts.has(port)) {
      return refuse('url_port', `port ${port} may not be used`);
    }
    return judgeHost(hostname);
  }

  return { judgeAddress, judgeTarget };
}

function judgeParsed(address: Address, allowedCidrs: readonly Cidr[]): Verdict {
  // The kernel dials a mapped address as the IPv4 it maps, so it is that address, also to the operator's blocks.
  if (isWithin(address, IPV4_MAPPED)) return judgeParsed(lastIpv4(address), allowedCidrs);
  if (allowedCidrs.some((cidr) => isWithin(address, cidr))) return ALLOWED;
  return address.family === 4 ? judgeBlocks(address, DENIED_IPV4) : judgeIpv6(address);
}

function judgeIpv6(address: Address): Verdict {
  // What a gateway turns into IPv4 is judged by that IPv4; the operator's blocks don't open such detours.
  if (isWithin(address, NAT64)) return judgeBlocks(lastIpv4(address), DENIED_IPV4);
  if (isWithin(address, SIX_TO_FOUR)) {
    const carried = judgeBlocks(ipv4At(address, 80n), DENIED_IPV4);
    if (!carried.allowed) return carried;
  }
  if (isIsatap(address)) {
    const carried = judgeBlocks(lastIpv4(address), DENIED_IPV4);
    if (!carried.allowed) return carried;
  }
  if (!isWithin(address, PUBLIC_IPV6)) return deny('not in 2000::/3');
  return judgeBlocks(address, DENIED_IPV6);
}

function judgeBlocks(address: Address, blocks: readonly DeniedBlock[]): Verdict {
  for (const { cidr, why } of blocks) if (isWithin(address, cidr)) return deny(why);
  return ALLOWED;
}

/** RFC 5214 section 6.1: an interface identifier 0000:5efe or 0200:5efe, then the IPv4, under any prefix. */
function isIsatap(address: Address): boolean {
  const marker = (address.value >> 32n) & 0xffff_ffffn;
  return marker === 0x0000_5efen || marker === 0x0200_5efen;
}

function lastIpv4(address: Address): Address {
  return ipv4At(address, 0n);
}

function ipv4At(address: Address, shift: bigint): Address {
  return { family: 4, value: (address.value >> shift) & 0xffff_ffffn };
}

function parseOperatorCidr(text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr === null) {
    throw new RangeError(
      `expected a CIDR such as 127.0.0.0/8 with no bits set after its prefix, not "${text}"`,
    );
  }
  if (isWithin(cidr, IPV4_MAPPED)) throw new RangeError(`write ${text} as the IPv4 block that it maps`);
  return cidr;
}

function deny(reason: string): Verdict {
  return { allowed: false, reason };
}

function refuse(code: TargetFault, detail: string): TargetVerdict {
  return { allowed: false, code, detail };
}
