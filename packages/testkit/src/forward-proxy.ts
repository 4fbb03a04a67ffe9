import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Asked, ForwardProxyOptions, Greeted } from './forward-proxy-greeting.ts';
import { greetByHttp } from './forward-proxy-http.ts';
import { greetBySocks5 } from './forward-proxy-socks5.ts';

/** A way out for tests: HTTP CONNECT, plain or over TLS, or SOCKS5. It notes what it was asked for and passes bytes on. */
export interface ForwardProxy {
  readonly port: number;
  /** `host:port` of each tunnel asked for, names as they came. */
  readonly asked: readonly string[];
  readonly connections: number;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startForwardProxy(options: ForwardProxyOptions): Promise<ForwardProxy> {
  const sockets = new Set<Socket>();
  const asked: string[] = [];
  let connections = 0;
  const greet = options.kind === 'http' ? greetByHttp : greetBySocks5;
  const accept = async (socket: Socket): Promise<void> => {
    connections++;
    hold(socket, sockets);
    const greeted = await greet(socket, options);
    if (greeted === null) return void socket.end();
    asked.push(`${greeted.asked.host}:${greeted.asked.port}`);
    tunnel(socket, greeted, options.route?.(greeted.asked) ?? greeted.asked, sockets);
  };
  const server = options.tls === undefined ? createServer(accept) : createTlsServer(options.tls, accept);
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function tunnel(socket: Socket, greeted: Greeted, end: Asked, sockets: Set<Socket>): void {
  const outward = connect({ host: end.host, port: end.port });
  hold(outward, sockets);
  outward.once('connect', () => {
    greeted.opened();
    socket.pipe(outward).pipe(socket);
  });
  outward.once('error', () => {
    greeted.failed();
    socket.end();
  });
  socket.once('close', () => outward.destroy());
  outward.once('close', () => socket.destroySoon());
}

function hold(socket: Socket, sockets: Set<Socket>): void {
  sockets.add(socket);
  socket.on('error', () => {});
  socket.once('close', () => sockets.delete(socket));
}
