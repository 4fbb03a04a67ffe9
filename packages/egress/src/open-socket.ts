import net from 'node:net';
import tls from 'node:tls';
import { CONNECT_TIMED_OUT, fail, failedInTls, failedToConnect, type Outcome } from './dial-failure.ts';

const TCP_KEEP_ALIVE_MS = 60_000;

/** A TCP connection. Where `host` comes from is the caller's to answer for. */
export function connectTcp(host: string, port: number, timeoutMs: number): Promise<Outcome> {
  const socket = net.connect({ host, port });
  socket.setNoDelay(true).setKeepAlive(true, TCP_KEEP_ALIVE_MS);
  return opened(socket, 'connect', {
    timeoutMs,
    late: fail('timeout', CONNECT_TIMED_OUT, host),
    broken: (code) => failedToConnect(code, `${code} from ${host}`),
  });
}

/** TLS over a connection that is open, with whoever is called `hostname`, a name or an address. */
export function secure(
  socket: net.Socket,
  hostname: string,
  secureContext: tls.SecureContext,
  timeoutMs: number,
): Promise<Outcome> {
  const peer = socket.remoteAddress ?? hostname;
  const secured = tls.connect({
    socket,
    // For an address: against it, as no server name is sent, the certificate is held.
    host: hostname,
    secureContext,
    // Said, because its default is what NODE_TLS_REJECT_UNAUTHORIZED says.
    rejectUnauthorized: true,
    ALPNProtocols: ['http/1.1'],
    // Server name indication is for names.
    ...(net.isIP(hostname) === 0 ? { servername: hostname } : {}),
  });
  return opened(secured, 'secureConnect', {
    timeoutMs,
    late: fail('timeout', 'the TLS handshake timed out', peer),
    broken: (code) => failedInTls(code, `${code} from ${peer}`),
  });
}

interface Expected {
  readonly timeoutMs: number;
  readonly late: Outcome;
  readonly broken: (code: string) => Outcome;
}

/** Whatever comes first settles it; a socket that did not get there is destroyed. */
function opened(
  socket: net.Socket,
  event: 'connect' | 'secureConnect',
  { timeoutMs, late, broken }: Expected,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const settle = (outcome: Outcome): void => {
      clearTimeout(timer);
      if (!outcome.ok) socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => settle(late), timeoutMs);
    socket.once(event, () => settle({ ok: true, socket }));
    // Stays: an error after the connection was handed over, or after it was given up, must find a listener.
    socket.on('error', ({ code = 'EUNKNOWN' }: NodeJS.ErrnoException) => settle(broken(code)));
    socket.once('close', () => settle(broken('ECONNRESET')));
  });
}
