import net from 'node:net';
import tls from 'node:tls';
import type { SendFailure, Target } from './outbound.ts';
import type { Resolver, VettedAddress } from './resolve.ts';
import { CONNECTION_REFUSED } from './resolve.ts';
import { within } from './within.ts';

export interface DialFailure {
  readonly failure: SendFailure;
  readonly detail: string;
  readonly operatorDetail: string;
}

export type Dialled =
  | { readonly ok: true; readonly socket: net.Socket }
  | ({ readonly ok: false } & DialFailure);

export interface DialOptions {
  readonly resolver: Resolver;
  readonly secureContext: () => tls.SecureContext;
  /** For all addresses together, TCP and TLS. */
  readonly connectTimeoutMs: number;
}

/** More would only let a name with many dead addresses hold a slot for longer. */
const MAX_ADDRESSES_TRIED = 3;
const TCP_KEEP_ALIVE_MS = 60_000;

/**
 * Opens a connection to one of the addresses that the resolver has vetted. Names never reach `net` or `tls`: those call
 * a `lookup` for names but not for literals, and would resolve a second time what was judged before.
 */
export async function dial(target: Target, options: DialOptions, deadlineMs: number): Promise<Dialled> {
  const startedAtMs = performance.now();
  const resolution = await within(options.resolver.resolve(target.hostname), deadlineMs);
  if (resolution === null) return fail('timeout', 'the DNS lookup took longer than the deadline', 'DNS');
  if (!resolution.ok) return resolution;
  const addresses = resolution.addresses.slice(0, MAX_ADDRESSES_TRIED);
  const remainingMs = deadlineMs - (performance.now() - startedAtMs);
  const lastMomentMs = performance.now() + Math.min(options.connectTimeoutMs, remainingMs);
  let outcome: Dialled = fail('timeout', CONNECT_TIMED_OUT, 'no time left after DNS');
  for (const [index, address] of addresses.entries()) {
    // An address that swallows packets must leave time for those after it.
    const shareMs = (lastMomentMs - performance.now()) / (addresses.length - index);
    if (shareMs <= 0) break;
    outcome = await open(address, target, options.secureContext, shareMs);
    // An answer in TLS was an answer: another address of the same host would say the same.
    if (outcome.ok || outcome.failure === 'tls') break;
  }
  return outcome;
}

function open(
  address: VettedAddress,
  target: Target,
  secureContext: () => tls.SecureContext,
  timeoutMs: number,
): Promise<Dialled> {
  return new Promise((resolve) => {
    let connected = false;
    const secure = target.protocol === 'https:';
    const socket = secure
      ? openTls(address, target, secureContext())
      : net.connect({ host: address, port: target.port });
    const settle = (outcome: Dialled): void => {
      clearTimeout(timer);
      if (!outcome.ok) socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => settle(timedOut(connected, address)), timeoutMs);
    socket.setNoDelay(true).setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    socket.once('connect', () => {
      connected = true;
      if (!secure) settle({ ok: true, socket });
    });
    socket.once('secureConnect', () => settle({ ok: true, socket }));
    // Stays: an error after the connection was handed over, or after it was given up, must find a listener.
    socket.on('error', (error: NodeJS.ErrnoException) => settle(refused(error, connected, address)));
    socket.once('close', () => settle(refused({ code: 'ECONNRESET' }, connected, address)));
  });
}

function openTls(address: VettedAddress, target: Target, secureContext: tls.SecureContext): tls.TLSSocket {
  return tls.connect({
    host: address,
    port: target.port,
    secureContext,
    ALPNProtocols: ['http/1.1'],
    // Server name indication is for names; without it the certificate is held against the address.
    ...(net.isIP(target.hostname) === 0 ? { servername: target.hostname } : {}),
  });
}

const CONNECT_TIMED_OUT = 'the connection timed out';
const CONNECT_DETAIL: Readonly<Record<string, string>> = {
  ECONNREFUSED: CONNECTION_REFUSED,
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
};
const TLS_DETAIL: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the certificate has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate chain has an unknown, self-signed root',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another host',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the certificate is from an unknown issuer',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate chain is incomplete',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'the server speaks no TLS 1.2 or 1.3',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'the server speaks no TLS 1.2 or 1.3',
};

function refused({ code = 'EUNKNOWN' }: { code?: string }, connected: boolean, address: string): Dialled {
  const operatorDetail = `${code} from ${address}`;
  if (connected) return fail('tls', TLS_DETAIL[code] ?? 'the TLS handshake failed', operatorDetail);
  if (code === 'ETIMEDOUT') return fail('timeout', CONNECT_TIMED_OUT, operatorDetail);
  return fail('connect', CONNECT_DETAIL[code] ?? 'the connection failed', operatorDetail);
}

function timedOut(connected: boolean, address: string): Dialled {
  return fail('timeout', connected ? 'the TLS handshake timed out' : CONNECT_TIMED_OUT, address);
}

function fail(failure: SendFailure, detail: string, operatorDetail: string): Dialled {
  return { ok: false, failure, detail, operatorDetail };
}
