import { once } from 'node:events';
import { isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';

export interface DatabaseTls {
  /** Whether the server must show a certificate that we trust, for the name it is reached by. */
  readonly verify: boolean;
  /** PEM, all three; without `ca` the authorities that Node trusts. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** A sentence for people on what of the configuration is wrong; undefined for what waiting may mend. */
  explain?(refusal: { code?: string | undefined; message: string }, at: string): string | undefined;
}

/** The server is there, and it and we will not have each other. */
export class DatabaseRefusedError extends Error {
  override name = 'DatabaseRefusedError';
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** "SSLRequest": its length, and a version of the protocol that there is not. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const YES = 'S'.charCodeAt(0);

/**
 * Asks a server that is being connected to for TLS, and answers the secured socket. Not left to the driver, which checks
 * the certificate of a server reached by its IP address against the name "localhost", goes on when the server said no,
 * and rejects with words that name no remedy.
 * @throws DatabaseRefusedError, or the error of a connection that was lost.
 */
export async function secureSocket(
  plain: Socket,
  address: Address,
  tls: DatabaseTls,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const at = `${address.host}:${address.port}`;
  try {
    await agree(plain, signal);
    const socket = connectTls({ ...connectOptions(address, tls), socket: plain });
    await secured(socket, signal);
    // In TLS 1.3 a server refuses a client's certificate after the client is done.
    socket.on('error', (error) => {
      error.message = tls.explain?.(error, at) ?? error.message;
    });
    return socket;
  } catch (thrown) {
    plain.destroy();
    const error = signal.aborted ? signal.reason : thrown;
    const sentence = tls.explain?.(error, at);
    throw sentence === undefined ? error : new DatabaseRefusedError(sentence, { cause: error });
  }
}

/** What Node's TLS takes, for those who connect by themselves as well. */
export function connectOptions({ host }: Partial<Address>, { ca, cert, key, verify }: DatabaseTls) {
  return {
    // Given a socket, Node knows no host but "localhost" to check the certificate against.
    ...(host === undefined ? {} : { host, ...(isIP(host) === 0 ? { servername: host } : {}) }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    minVersion: 'TLSv1.2' as const,
    rejectUnauthorized: verify,
  };
}

async function agree(plain: Socket, signal: AbortSignal): Promise<void> {
  if (plain.connecting) await once(plain, 'connect', { signal });
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  plain.once('data', resolve);
  plain.on('error', reject);
  plain.once('close', () =>
    reject(fault('CONNECTION_CLOSED', 'the server hung up when it was asked for TLS')),
  );
  const giveUp = () => reject(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });
  plain.write(SSL_REQUEST);
  // A signal that follows others is kept by Node as long as somebody listens: one more for every connection.
  const answer = await promise.finally(() => signal.removeEventListener('abort', giveUp));
  if (answer[0] !== YES) throw fault('TLS_NOT_OFFERED', 'the server does not offer TLS');
  // Somebody on the way put it there, to be taken for what came through TLS.
  if (answer.length > 1) throw fault('TLS_NOT_CLEAN', 'the server said more than was asked before TLS');
}

async function secured(socket: TLSSocket, signal: AbortSignal): Promise<void> {
  // Also after we have given up.
  socket.on('error', () => {});
  await once(socket, 'secureConnect', { signal });
}

const fault = (code: string, message: string): Error => Object.assign(new Error(message), { code });
