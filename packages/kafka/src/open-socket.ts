import { connect, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';

export interface SocketTarget {
  host: string;
  port: number;
  /** Absent for a plain connection. */
  ssl?: ConnectionOptions;
  onConnect: () => void;
}

const KEEP_ALIVE_DELAY_MS = 60_000;

/**
 * kafkajs leaves Nagle's algorithm on: the second of two small requests then waits for the first to be acknowledged,
 * which the other side may put off for 40 ms.
 */
export function openSocket({ host, port, ssl, onConnect }: SocketTarget): Socket {
  const to = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS };
  if (!ssl) return connect(to, onConnect);
  const socket = connectTls(
    { ...(isIP(host) === 0 ? { servername: host } : {}), ...ssl, host, port },
    onConnect,
  );
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
  return socket;
}
