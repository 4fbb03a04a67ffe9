import { type AddressPolicy, type AddressPolicyOptions, createAddressPolicy } from './address-policy.ts';
import { type AgentEvent, createGuardedAgent, type GuardedAgent } from './agent.ts';
import { createDnsLookup, isNameServer } from './dns-lookup.ts';
import { mostConnections } from './most-connections.ts';
import { type EgressProxy, parseProxyUrl } from './proxy/parse-proxy-url.ts';
import { readAuthorities } from './read-authorities.ts';
import { createResolver, type Resolver, type ResolverEvent } from './resolve.ts';

/** What an operator may set, as the services' configuration names it. */
export interface EgressConfig {
  readonly egressAllowedCidrs: readonly string[];
  readonly egressDeniedCidrs: readonly string[];
  readonly egressAllowedPorts: readonly string[];
  readonly egressDeniedHosts: readonly string[];
  readonly egressHttpsOnly: boolean;
  readonly egressNat64Prefixes: readonly string[];
  readonly ownHosts: readonly string[];
  readonly loopName: string;
  readonly egressDnsServers: readonly string[];
  readonly egressDnsTimeoutMs: number;
  readonly egressDnsMaxLookups: number;
  readonly egressDnsMaxNames: number;
  readonly egressDnsMinTtlMs: number;
  readonly egressDnsMaxTtlMs: number;
  readonly egressDnsNegativeTtlMs: number;
  readonly egressAuthorities: readonly string[];
  readonly egressProxyUrl: string;
  readonly egressProxyDns: 'local' | 'remote';
  readonly egressMaxConnections: number;
  readonly egressMaxConnectionsPerAddress: number;
}

/** The one policy of a system: for creation and change, for whatever is dialled, by every service. */
export function egressPolicy(config: EgressConfig): AddressPolicy {
  return createAddressPolicy({
    allowedCidrs: config.egressAllowedCidrs,
    deniedCidrs: config.egressDeniedCidrs,
    allowedPorts: config.egressAllowedPorts,
    deniedHosts: config.egressDeniedHosts,
    httpsOnly: config.egressHttpsOnly,
    nat64Prefixes: config.egressNat64Prefixes,
    ownHosts: config.ownHosts,
  });
}

export interface EgressObserver {
  onEvent?(event: AgentEvent | ResolverEvent): void;
}

/** The one way out: whatever a service fetches, it fetches with this. */
export function egressAgent(config: EgressConfig, { onEvent = () => {} }: EgressObserver = {}): GuardedAgent {
  const policy = egressPolicy(config);
  return createGuardedAgent({
    policy,
    resolver: egressResolver(config, policy, onEvent),
    loopName: config.loopName,
    proxy: egressProxy(config),
    extraAuthorities: config.egressAuthorities,
    maxConnections: mostConnections(config.egressMaxConnections),
    nat64Prefixes: config.egressNat64Prefixes,
    connectionsPerAddress: config.egressMaxConnectionsPerAddress,
    onEvent,
  });
}

function egressProxy({ egressProxyUrl, egressProxyDns }: EgressConfig): EgressProxy | undefined {
  if (egressProxyUrl === '') return undefined;
  return parseProxyUrl(egressProxyUrl, { resolvesNames: egressProxyDns === 'remote' });
}

/** Whole seconds: c-ares looks once in one whether a try has ended. */
const MOST_QUERY_MS = 1_000;
/** One try, a second of twice the time, and as much as one to spare: where a family is silent, the other still counts. */
const TRIES_FIT = 4;

function egressResolver(
  config: EgressConfig,
  policy: AddressPolicy,
  onEvent: (event: ResolverEvent) => void,
): Resolver {
  const servers = config.egressDnsServers;
  return createResolver({
    policy,
    lookup: createDnsLookup({
      queryTimeoutMs: Math.min(MOST_QUERY_MS, Math.floor(config.egressDnsTimeoutMs / TRIES_FIT)),
      ...(servers.length === 0 ? {} : { servers }),
    }),
    timeoutMs: config.egressDnsTimeoutMs,
    maxInFlight: config.egressDnsMaxLookups,
    maxEntries: config.egressDnsMaxNames,
    minTtlMs: config.egressDnsMinTtlMs,
    maxTtlMs: config.egressDnsMaxTtlMs,
    negativeTtlMs: config.egressDnsNegativeTtlMs,
    onEvent,
  });
}

/** How the texts of this configuration are read. Each throws, naming the part that is wrong. */
export const egressGrammar = {
  cidrs: checkedBy('allowedCidrs'),
  deniedCidrs: checkedBy('deniedCidrs'),
  ports: checkedBy('allowedPorts'),
  hosts: checkedBy('deniedHosts'),
  nat64Prefixes: checkedBy('nat64Prefixes'),
  ownHosts: checkedBy('ownHosts'),
  authorities: readAuthorities,
  checkProxyUrl(text: string): void {
    if (text !== '') parseProxyUrl(text, { resolvesNames: false });
  },
  nameServers(text: string): readonly string[] {
    const servers = partsOf(text);
    const wrong = servers.find((server) => !isNameServer(server));
    if (wrong !== undefined) throw new RangeError(`"${wrong}" is no address, nor an address with a port`);
    return servers;
  },
} as const;

/** By making a policy of it: what the policy takes is right. */
function checkedBy(option: keyof AddressPolicyOptions): (text: string) => readonly string[] {
  return (text) => {
    const parts = partsOf(text);
    createAddressPolicy({ allowedCidrs: [], [option]: parts });
    return parts;
  };
}

function partsOf(text: string): readonly string[] {
  const parts = text.split(',').map((part) => part.trim());
  return Object.freeze(parts.filter((part) => part !== ''));
}
