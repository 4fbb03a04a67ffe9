import net from 'node:net';
import tls from 'node:tls';
import type { DialPhases, OutboundRequest, SendFailure, Target } from './outbound.ts';
import type { Resolver, VettedAddress } from './resolve.ts';
import { CONNECTION_REFUSED } from './resolve.ts';
import type { SecureContexts } from './secure-contexts.ts';
import { tlsDetail } from './tls-detail.ts';
import { within } from './within.ts';

export interface DialFailure {
  readonly failure: SendFailure;
  readonly detail: string;
  readonly operatorDetail: string;
}

type Failed = { readonly ok: false } & DialFailure;
type Outcome = { readonly ok: true; readonly socket: net.Socket } | Failed;
export type Dialled = Outcome & { readonly phases: DialPhases };
type Opened = Outcome & { readonly connectMs: number; readonly tlsMs: number | null };

export type Destination = Pick<OutboundRequest, 'target' | 'tls'>;

export interface DialOptions {
  readonly resolver: Resolver;
  readonly secureContexts: SecureContexts;
  /** For all addresses together, TCP and TLS. */
  readonly connectTimeoutMs: number;
}

/** More would only let a name with many dead addresses hold a slot for longer. */
const MAX_ADDRESSES_TRIED = 3;
const TCP_KEEP_ALIVE_MS = 60_000;
export const NO_PHASES: DialPhases = { dnsMs: null, connectMs: null, tlsMs: null };
/** A blocked address went through what a refused connection goes through: its timing is the tenant's to read. */
export const BLOCKED_PHASES: DialPhases = { ...NO_PHASES, connectMs: 0 };

/**
 * Opens a connection to one of the addresses that the resolver has vetted. Names never reach `net` or `tls`: those call
 * a `lookup` for names but not for literals, and would resolve a second time what was judged before.
 */
export async function dial(
  destination: Destination,
  options: DialOptions,
  deadlineMs: number,
): Promise<Dialled> {
  const { target } = destination;
  const startedAtMs = performance.now();
  const resolution = await within(options.resolver.resolve(target.hostname), deadlineMs);
  const resolvedAtMs = performance.now();
  const dnsMs = net.isIP(target.hostname) === 0 ? resolvedAtMs - startedAtMs : null;
  if (resolution === null) return { ...SLOW_DNS, phases: { ...NO_PHASES, dnsMs } };
  if (!resolution.ok) {
    const phases = resolution.failure === 'blocked' ? BLOCKED_PHASES : NO_PHASES;
    return { ...resolution, phases: { ...phases, dnsMs } };
  }
  const remainingMs = deadlineMs - (resolvedAtMs - startedAtMs);
  const lastMomentMs = resolvedAtMs + Math.min(options.connectTimeoutMs, remainingMs);
  const { connectMs, tlsMs, ...outcome } = await openOneOf(
    resolution.addresses.slice(0, MAX_ADDRESSES_TRIED),
    destination,
    options,
    lastMomentMs,
  );
  return { ...outcome, phases: { dnsMs, connectMs, tlsMs } };
}

async function openOneOf(
  addresses: readonly VettedAddress[],
  destination: Destination,
  options: DialOptions,
  lastMomentMs: number,
): Promise<Opened> {
  let earlierMs = 0;
  let outcome: Opened = {
    ...fail('timeout', CONNECT_TIMED_OUT, 'no time left after DNS'),
    connectMs: 0,
    tlsMs: null,
  };
  for (const [index, address] of addresses.entries()) {
    // An address that swallows packets must leave time for those after it.
    const shareMs = (lastMomentMs - performance.now()) / (addresses.length - index);
    if (shareMs <= 0) break;
    const opened = await open(address, destination, options.secureContexts, shareMs);
    outcome = { ...opened, connectMs: earlierMs + opened.connectMs };
    // An answer in TLS was an answer: another address of the same host would say the same.
    if (outcome.ok || outcome.failure === 'tls') break;
    earlierMs = outcome.connectMs;
  }
  return outcome;
}

function open(
  address: VettedAddress,
  { target, tls: identity }: Destination,
  secureContexts: SecureContexts,
  timeoutMs: number,
): Promise<Opened> {
  return new Promise((resolve) => {
    const startedAtMs = performance.now();
    let connectedAtMs: number | null = null;
    const secure = target.protocol === 'https:';
    const socket = secure
      ? openTls(address, target, secureContexts.of(identity))
      : net.connect({ host: address, port: target.port });
    const settle = (outcome: Outcome): void => {
      clearTimeout(timer);
      if (!outcome.ok) socket.destroy();
      const nowMs = performance.now();
      const connectMs = (connectedAtMs ?? nowMs) - startedAtMs;
      resolve({
        ...outcome,
        connectMs,
        tlsMs: secure && connectedAtMs !== null ? nowMs - connectedAtMs : null,
      });
    };
    const isConnected = (): boolean => connectedAtMs !== null;
    const timer = setTimeout(() => settle(timedOut(isConnected(), address)), timeoutMs);
    socket.setNoDelay(true).setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    socket.once('connect', () => {
      connectedAtMs = performance.now();
      if (!secure) settle({ ok: true, socket });
    });
    socket.once('secureConnect', () => settle({ ok: true, socket }));
    // Stays: an error after the connection was handed over, or after it was given up, must find a listener.
    socket.on('error', (error: NodeJS.ErrnoException) => settle(refused(error, isConnected(), address)));
    socket.once('close', () => settle(refused({ code: 'ECONNRESET' }, isConnected(), address)));
  });
}

function openTls(address: VettedAddress, target: Target, secureContext: tls.SecureContext): tls.TLSSocket {
  return tls.connect({
    host: address,
    port: target.port,
    secureContext,
    // Said, because its default is what NODE_TLS_REJECT_UNAUTHORIZED says.
    rejectUnauthorized: true,
    ALPNProtocols: ['http/1.1'],
    // Server name indication is for names; without it the certificate is held against the address.
    ...(net.isIP(target.hostname) === 0 ? { servername: target.hostname } : {}),
  });
}

const CONNECT_TIMED_OUT = 'the connection timed out';
const SLOW_DNS = fail('timeout', 'the DNS lookup took longer than the deadline', 'DNS');
const CONNECT_DETAIL: Readonly<Record<string, string>> = {
  ECONNREFUSED: CONNECTION_REFUSED,
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
};
function refused({ code = 'EUNKNOWN' }: { code?: string }, connected: boolean, address: string): Failed {
  const operatorDetail = `${code} from ${address}`;
  if (connected) return fail('tls', tlsDetail(code) ?? 'the TLS handshake failed', operatorDetail);
  if (code === 'ETIMEDOUT') return fail('timeout', CONNECT_TIMED_OUT, operatorDetail);
  return fail('connect', CONNECT_DETAIL[code] ?? 'the connection failed', operatorDetail);
}

function timedOut(connected: boolean, address: string): Failed {
  return fail('timeout', connected ? 'the TLS handshake timed out' : CONNECT_TIMED_OUT, address);
}

function fail(failure: SendFailure, detail: string, operatorDetail: string): Failed {
  return { ok: false, failure, detail, operatorDetail };
}
