import { connect, isIP, Socket } from 'node:net';
import { type Address, connectOptions, type DatabaseTls, secureSocket } from './secure-socket.ts';
import { watchSilence } from './watched-socket.ts';

export interface SocketLimits {
  readonly connectTimeoutMs: number;
  readonly silenceTimeoutMs: number;
  /** Ends what is still connecting when the pool is closed. */
  readonly closing: AbortSignal;
}

const DEFAULT_PORT = 5432;

/**
 * The driver's options for how it connects. It takes its own sockets where there is a choice of several: Unix domain
 * sockets, several hosts.
 */
export function socketOptions(
  url: string,
  tls: DatabaseTls | null | undefined,
  limits: SocketLimits,
): object {
  const address = addressOf(url);
  if (address === null) return tls === undefined ? {} : { ssl: tls && driversTls(url, tls) };
  if (tls) return { ssl: false, socket: () => openSecured(address, tls, limits) };
  const socket = () => openPlain(address, limits.silenceTimeoutMs);
  return tls === null ? { ssl: false, socket } : { socket };
}

function addressOf(url: string): Address | null {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || parsed.hostname === '' || /[%,/]/.test(parsed.host)) return null;
  return { host: parsed.hostname.replace(/^\[|\]$/g, ''), port: Number(parsed.port || DEFAULT_PORT) };
}

function openPlain(address: Address, silenceTimeoutMs: number): Socket {
  const socket = connect(address);
  watchSilence(socket, silenceTimeoutMs);
  // The driver names it in its errors, and where it adds TLS by itself reads the name for the certificate from here.
  return Object.assign(socket, address);
}

/** Of a promise that rejects the driver makes a connection that is lost to its pool: so it never does. */
async function openSecured(address: Address, tls: DatabaseTls, limits: SocketLimits): Promise<Socket> {
  const late = new AbortController();
  const timer = setTimeout(() => {
    const at = `${address.host}:${address.port}`;
    late.abort(Object.assign(new Error(`no connection to ${at} in time`), { code: 'CONNECT_TIMEOUT' }));
  }, limits.connectTimeoutMs);
  try {
    const signal = AbortSignal.any([late.signal, limits.closing]);
    const socket = await secureSocket(connect(address), address, tls, signal);
    watchSilence(socket, limits.silenceTimeoutMs);
    return Object.assign(socket, address);
  } catch (error) {
    const failed = new Socket();
    // After the driver has begun to listen, before it writes.
    setImmediate(() => failed.destroy(error as Error));
    return failed;
  } finally {
    clearTimeout(timer);
  }
}

/** @throws Error for a server whose certificate the driver would check against the wrong name. */
function driversTls(url: string, tls: DatabaseTls): object {
  const hosts = url
    .replace(/^[^/]*\/\/([^/?]*@)?/, '')
    .split(/[/?]/, 1)[0]!
    .split(',');
  const byAddress = hosts.find((host) => isIP(host.replace(/:\d+$/, '')) !== 0);
  if (tls.verify && byAddress !== undefined)
    throw new Error(`verify-full with several hosts needs their names, not an address such as ${byAddress}`);
  return connectOptions({}, tls);
}
