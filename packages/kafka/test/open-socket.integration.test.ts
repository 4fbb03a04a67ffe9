import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { openSocket } from '../src/open-socket.ts';

async function listen() {
  const server = createServer((socket) => socket.on('error', () => {}));
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

test('connects plainly where no TLS is asked for', async () => {
  const port = await listen();
  const connected = Promise.withResolvers<void>();
  const socket = openSocket({ host: '127.0.0.1', port, onConnect: connected.resolve });
  onTestFinished(() => void socket.destroy());
  await connected.promise;
  expect(socket.remotePort).toBe(port);
});

test('speaks TLS where it is asked for', async () => {
  const greeting = Promise.withResolvers<number>();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (bytes) => greeting.resolve(bytes[0]!));
  });
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = openSocket({
    host: 'localhost',
    port,
    ssl: { rejectUnauthorized: false },
    onConnect: () => {},
  });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  const TLS_HANDSHAKE = 22;
  expect(await greeting.promise).toBe(TLS_HANDSHAKE);
});
