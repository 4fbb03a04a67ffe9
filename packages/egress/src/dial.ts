import net from 'node:net';
import type { AddressPlaces } from './address-places.ts';
import { CONNECT_TIMED_OUT, type Failed, fail, type Outcome } from './dial-failure.ts';
import type { Imitated } from './imitate-refusal.ts';
import { connectTcp, secure } from './open-socket.ts';
import type { DialPhases, OutboundRequest } from './outbound.ts';
import type { Cidr } from './parse-address.ts';
import { placeOfAddress } from './place-of-address.ts';
import { connectThroughProxy } from './proxy/connect-through-proxy.ts';
import type { EgressProxy } from './proxy/parse-proxy-url.ts';
import type { Resolver, VettedAddress } from './resolve.ts';
import type { SecureContexts } from './secure-contexts.ts';
import { within } from './within.ts';

export type Destination = Pick<OutboundRequest, 'target' | 'tls' | 'onBehalfOf'>;

/** A name that the operator's proxy is to resolve; judged as a name alone. */
type RemoteName = string & { readonly remote: unique symbol };
type Reachable = VettedAddress | RemoteName;

export type Dialled = { readonly phases: DialPhases } & (
  | { readonly ok: true; readonly socket: net.Socket; readonly place: string }
  // Crowded: nothing was tried, because as many connections to this address are open as may be.
  | (Failed & { readonly crowdedAt?: string; readonly imitated?: Imitated })
);

export interface DialOptions {
  readonly resolver: Resolver;
  readonly secureContexts: SecureContexts;
  readonly places: AddressPlaces;
  /** NAT64 of the operator's network, beside the well-known one. */
  readonly translators: readonly Cidr[];
  readonly proxy: EgressProxy | null;
  /** For all addresses together, TCP and TLS. */
  readonly connectTimeoutMs: number;
}

/** More would only let a name with many dead addresses hold a slot for longer. */
const MAX_ADDRESSES_TRIED = 3;
export const NO_PHASES: DialPhases = { dnsMs: null, connectMs: null, tlsMs: null };
const SLOW_DNS = fail('timeout', 'the DNS lookup took longer than the deadline', 'DNS');
const TOO_LATE: Dialled = {
  ...fail('timeout', CONNECT_TIMED_OUT, 'no time left after DNS'),
  phases: { ...NO_PHASES, connectMs: 0 },
};
const CROWDED = {
  ...fail('connect', 'no connection became free', 'the limit on connections to this address is reached'),
  phases: NO_PHASES,
} as const;

/**
 * Opens a connection to one of the addresses that the resolver has vetted. Names never reach `net` or `tls`: those call
 * a `lookup` for names but not for literals, and would resolve a second time what was judged before.
 */
export async function dial(
  destination: Destination,
  options: DialOptions,
  deadlineMs: number,
): Promise<Dialled> {
  const { target, onBehalfOf } = destination;
  const { hostname, port } = target;
  const startedAtMs = performance.now();
  const isName = net.isIP(hostname) === 0;
  const resolution =
    isName && options.proxy?.resolvesNames
      ? ({ ok: true, addresses: [hostname as RemoteName] } as const)
      : await within(options.resolver.resolve(hostname, port, onBehalfOf), deadlineMs);
  const resolvedAtMs = performance.now();
  const dnsMs = isName ? resolvedAtMs - startedAtMs : null;
  if (resolution === null) return { ...SLOW_DNS, phases: { ...NO_PHASES, dnsMs } };
  if (!resolution.ok) return { ...resolution, phases: { ...NO_PHASES, dnsMs } };
  const remainingMs = deadlineMs - (resolvedAtMs - startedAtMs);
  const lastMomentMs = resolvedAtMs + Math.min(options.connectTimeoutMs, remainingMs);
  const addresses = resolution.addresses.slice(0, MAX_ADDRESSES_TRIED);
  const dialled = await openOneOf(addresses, destination, options, lastMomentMs);
  return { ...dialled, phases: { ...dialled.phases, dnsMs } };
}

async function openOneOf(
  addresses: readonly Reachable[],
  destination: Destination,
  options: DialOptions,
  lastMomentMs: number,
): Promise<Dialled> {
  let earlierMs = 0;
  let crowdedAt: string | undefined;
  let dialled: Dialled | undefined;
  for (const [index, address] of addresses.entries()) {
    // An address that swallows packets must leave time for those after it.
    const shareMs = (lastMomentMs - performance.now()) / (addresses.length - index);
    if (shareMs <= 0) break;
    const place = placeOfAddress(address, options.translators);
    if (!options.places.take(place)) {
      crowdedAt ??= place;
      continue;
    }
    const { connectMs, tlsMs, ...outcome } = await open(address, destination, options, shareMs);
    const phases = { ...NO_PHASES, connectMs: earlierMs + connectMs, tlsMs };
    if (outcome.ok) return { ...outcome, place, phases };
    options.places.free(place, null);
    dialled = { ...outcome, phases };
    // An answer in TLS was an answer: another address of the same host would say the same.
    if (outcome.failure === 'tls') return dialled;
    earlierMs = phases.connectMs;
  }
  if (dialled !== undefined) return dialled;
  return crowdedAt === undefined ? TOO_LATE : { ...CROWDED, crowdedAt };
}

type Opened = Outcome & { readonly connectMs: number; readonly tlsMs: number | null };

async function open(
  address: Reachable,
  { target, tls }: Destination,
  { proxy, secureContexts }: DialOptions,
  timeoutMs: number,
): Promise<Opened> {
  const startedAtMs = performance.now();
  const reached = await (proxy === null
    ? connectTcp(address, target.port, timeoutMs)
    : connectThroughProxy(proxy, { address, port: target.port }, secureContexts, timeoutMs));
  const reachedAtMs = performance.now();
  const connectMs = reachedAtMs - startedAtMs;
  if (!reached.ok || target.protocol === 'http:') return { ...reached, connectMs, tlsMs: null };
  const leftMs = Math.max(1, timeoutMs - connectMs);
  const secured = await secure(reached.socket, target.hostname, secureContexts.of(tls), leftMs);
  return { ...secured, connectMs, tlsMs: performance.now() - reachedAtMs };
}
