import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';

export interface RawReceiver {
  readonly port: number;
  /** Connections accepted so far. */
  readonly connections: number;
  /** Requests of which the whole body has come, as text, one per request. */
  readonly requests: readonly string[];
  /** Resolves when the n-th connection (from 1) has been closed. */
  closed(n: number): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export type OnRequest = (socket: net.Socket, request: string, n: number) => void;

export interface RawReceiverOptions {
  /** Called for each whole request with the count of requests so far on all connections, from 1. */
  readonly onRequest?: OnRequest;
  readonly onConnection?: (socket: net.Socket) => void;
  readonly tls?: tls.TlsOptions;
  readonly host?: string;
}

/** A server that does what the test says and nothing that HTTP says. */
export async function startRawReceiver(options: RawReceiverOptions): Promise<RawReceiver> {
  const sockets = new Set<net.Socket>();
  const closings: Promise<void>[] = [];
  const requests: string[] = [];
  let connections = 0;
  const accept = (socket: net.Socket): void => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => {});
    closings.push(new Promise<void>((resolve) => socket.once('close', () => resolve())));
    socket.once('close', () => sockets.delete(socket));
    options.onConnection?.(socket);
    readRequests(socket, (request) => {
      requests.push(request);
      options.onRequest?.(socket, request, requests.length);
    });
  };
  const server = options.tls === undefined ? net.createServer(accept) : tls.createServer(options.tls, accept);
  server.on('tlsClientError', () => {});
  server.listen(0, options.host ?? '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    get connections() {
      return connections;
    },
    requests,
    closed: async (n) => {
      await closings[n - 1];
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function readRequests(socket: net.Socket, onRequest: (request: string) => void): void {
  let received = '';
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
    for (;;) {
      const end = received.indexOf('\r\n\r\n');
      if (end === -1) return;
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0);
      const total = end + 4 + length;
      if (received.length < total) return;
      const request = received.slice(0, total);
      received = received.slice(total);
      onRequest(request);
    }
  });
}

export const respond =
  (text: string): OnRequest =>
  (socket) =>
    void socket.write(text, 'latin1');

export const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
