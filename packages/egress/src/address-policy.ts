import { carriedIpv4, ipv4, parseTranslator } from './carried-ipv4.ts';
import { parseHostPattern } from './host-pattern.ts';
import type { Target } from './outbound.ts';
import { parseOwnHosts } from './own-host.ts';
import { type Address, type Cidr, isWithin, parseAddress, parseCidr } from './parse-address.ts';
import { parsePortRule } from './port-rule.ts';
import { isLocalhost, isReservedName } from './reserved-hosts.ts';
import {
  DENIED_IPV4,
  DENIED_IPV6,
  type DeniedBlock,
  IPV4_LOOPBACK,
  IPV4_MAPPED,
  NAT64,
  PUBLIC_IPV6,
} from './special-blocks.ts';

export interface AddressPolicyOptions {
  /** Blocks that the operator opens though they are not public, such as `127.0.0.0/8` for a receiver in a demo. */
  readonly allowedCidrs: readonly string[];
  /** Blocks that the operator closes; they win over those that he opens. */
  readonly deniedCidrs?: readonly string[];
  /** Ports and ranges of them. None: all but `deniedPorts`. */
  readonly allowedPorts?: readonly string[];
  /** Replaces the default list (`DEFAULT_DENIED_PORTS`). */
  readonly deniedPorts?: readonly number[];
  readonly httpsOnly?: boolean;
  /** `api.example.com`, `*.example.com`; an address is a block of one. */
  readonly deniedHosts?: readonly string[];
  /** Where this system's own API is reached: a host or an address, with a port or for all of them. */
  readonly ownHosts?: readonly string[];
  /** Prefixes under which translators of the operator's network carry IPv4, beside the well-known `64:ff9b::/96`. */
  readonly nat64Prefixes?: readonly string[];
}

/** Why something may not be called, for operators' metrics: few words, whatever tenants type in. */
export type BlockReason =
  | 'special_address'
  | 'denied_address'
  | 'own_host'
  | 'denied_host'
  | 'reserved_host'
  | 'port'
  | 'scheme';

export type Verdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly why: BlockReason; readonly reason: string };

export type TargetFault = 'url_scheme' | 'url_port' | 'url_host_reserved' | 'url_address_blocked';

export type TargetVerdict =
  | { readonly allowed: true }
  | {
      readonly allowed: false;
      readonly code: TargetFault;
      readonly why: BlockReason;
      readonly detail: string;
      /** For operators. */
      readonly reason: string;
    };

/** What may be called. One policy judges URLs when they are registered and addresses when they are dialled. */
export interface AddressPolicy {
  /** An address as text, strictly spelt. The reason is for operators. */
  judgeAddress(address: string): Verdict;
  /** Whether this system's own API is at that port of an address that is allowed otherwise. */
  isOwn(address: string, port: number): boolean;
  /** Protocol, port and host, without asking DNS. The detail may be shown to the tenant. */
  judgeTarget(target: Pick<Target, 'protocol' | 'hostname' | 'port'>): TargetVerdict;
}

const ALLOWED = { allowed: true } as const;

/** @throws {RangeError} naming what of the operator's is malformed. */
export function createAddressPolicy(options: AddressPolicyOptions): AddressPolicy {
  const rules = parseRules(options);
  const loopbackIsOpen = judgeParsed(IPV4_LOOPBACK, rules).allowed;

  function judgeAddress(text: string): Verdict {
    const address = parseAddress(text);
    if (address === null) return deny('special_address', `${text} is not an address`);
    return judgeParsed(address, rules);
  }

  function isOwn(text: string, port: number): boolean {
    if (!rules.own.hasAddresses) return false;
    const parsed = parseAddress(text);
    if (parsed === null) return false;
    const address = unmapped(parsed);
    const reached = [address, ...carriedIpv4(address, rules.translators)];
    return reached.some((each) => rules.own.hasAddress(each, port));
  }

  function judgeHost({ hostname, port }: Pick<Target, 'hostname' | 'port'>): TargetVerdict {
    if (rules.own.hasName(hostname, port) || isOwn(hostname, port)) {
      return refuse('url_host_reserved', 'own_host', HOST_REFUSED);
    }
    if (rules.deniedHosts.some((isDenied) => isDenied(hostname))) {
      return refuse('url_host_reserved', 'denied_host', HOST_REFUSED);
    }
    if (parseAddress(hostname) !== null) {
      const verdict = judgeAddress(hostname);
      if (verdict.allowed) return ALLOWED;
      const isPublic = verdict.why !== 'special_address';
      const detail = isPublic ? HOST_REFUSED : NOT_PUBLIC;
      return { ...refuse('url_address_blocked', verdict.why, detail), reason: verdict.reason };
    }
    if (loopbackIsOpen && isLocalhost(hostname)) return ALLOWED;
    if (!isReservedName(hostname)) return ALLOWED;
    return refuse('url_host_reserved', 'reserved_host', 'the host must be a public name with a dot in it');
  }

  function judgeTarget(target: Pick<Target, 'protocol' | 'hostname' | 'port'>): TargetVerdict {
    if (options.httpsOnly && target.protocol !== 'https:') {
      return refuse('url_scheme', 'scheme', 'the URL must start with https://');
    }
    if (!rules.isPortAllowed(target.port)) {
      return refuse('url_port', 'port', `port ${target.port} may not be used`);
    }
    return judgeHost(target);
  }

  return { judgeAddress, isOwn, judgeTarget };
}

type Rules = ReturnType<typeof parseRules>;

function parseRules(options: AddressPolicyOptions) {
  const denied = options.deniedHosts ?? [];
  const isLiteral = (text: string): boolean => parseAddress(text) !== null;
  return {
    allowed: options.allowedCidrs.map(parseOperatorCidr),
    denied: [...(options.deniedCidrs ?? []), ...denied.filter(isLiteral)].map(parseOperatorCidr),
    deniedHosts: denied.filter((text) => !isLiteral(text)).map(parseHostPattern),
    own: parseOwnHosts(options.ownHosts ?? []),
    isPortAllowed: parsePortRule(options.allowedPorts ?? [], options.deniedPorts),
    translators: (options.nat64Prefixes ?? []).map(parseTranslator),
  };
}

/** The kernel dials a mapped address as the IPv4 it maps, so it is that address, also to the operator's blocks. */
function unmapped(address: Address): Address {
  return isWithin(address, IPV4_MAPPED) ? ipv4(address.value) : address;
}

function judgeParsed(given: Address, rules: Rules): Verdict {
  const address = unmapped(given);
  if (rules.denied.some((cidr) => isWithin(address, cidr))) return DENIED_BY_OPERATOR;
  if (address.family === 4) return judgeIpv4(address, rules);
  // What carries IPv4 is held to it whatever else is open: the operator's blocks don't open such detours.
  for (const carried of carriedIpv4(address, rules.translators)) {
    if (rules.denied.some((cidr) => isWithin(carried, cidr))) return DENIED_BY_OPERATOR;
    const verdict = judgeBlocks(carried, DENIED_IPV4);
    if (!verdict.allowed) return verdict;
  }
  if (rules.allowed.some((cidr) => isWithin(address, cidr))) return ALLOWED;
  if (isTranslated(address, rules)) return ALLOWED;
  const verdict = judgeBlocks(address, DENIED_IPV6);
  if (!verdict.allowed || isWithin(address, PUBLIC_IPV6)) return verdict;
  return deny('special_address', 'not in 2000::/3');
}

function judgeIpv4(address: Address, rules: Rules): Verdict {
  return rules.allowed.some((cidr) => isWithin(address, cidr)) ? ALLOWED : judgeBlocks(address, DENIED_IPV4);
}

/** Under a prefix of a translator nothing is but the IPv4, which has been judged. */
function isTranslated(address: Address, { translators }: Rules): boolean {
  return isWithin(address, NAT64) || translators.some((prefix) => isWithin(address, prefix));
}

function judgeBlocks(address: Address, blocks: readonly DeniedBlock[]): Verdict {
  for (const { cidr, text, why } of blocks) {
    if (isWithin(address, cidr)) return deny('special_address', `${why} (${text})`);
  }
  return ALLOWED;
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

const HOST_REFUSED = 'this host may not be used';
const NOT_PUBLIC = 'the address is not a public one';
const DENIED_BY_OPERATOR = deny('denied_address', 'denied by EGRESS_DENIED_CIDRS or EGRESS_DENIED_HOSTS');

function deny(why: BlockReason, reason: string): Verdict {
  return { allowed: false, why, reason };
}

function refuse(
  code: TargetFault,
  why: BlockReason,
  detail: string,
): Extract<TargetVerdict, { allowed: false }> {
  return { allowed: false, code, why, detail, reason: detail };
}
