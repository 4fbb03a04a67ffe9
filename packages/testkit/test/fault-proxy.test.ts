import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSignalledList, type FaultProxy, startFaultProxy } from '../src/index.ts';

/** A server that says back what it hears, byte for byte. */
let echo: Server;
let proxy: FaultProxy;
let atServer: Socket[];
const clients: Socket[] = [];

beforeEach(async () => {
  atServer = [];
  echo = createServer({ allowHalfOpen: true }, (socket) => {
    atServer.push(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes) => socket.write(bytes));
  }).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  proxy = await startFaultProxy({ targetPort: (echo.address() as AddressInfo).port });
});

afterEach(async () => {
  for (const socket of [...clients.splice(0), ...atServer]) socket.destroy();
  await proxy.close();
  echo.close();
});

async function client() {
  const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
  clients.push(socket);
  const heard = createSignalledList<string>();
  socket.on('data', (bytes) => heard.push(bytes.toString()));
  socket.on('end', () => heard.push('(end)'));
  socket.on('error', () => heard.push('(reset)'));
  await once(socket, 'connect');
  const hears = (text: string) =>
    heard.waitFor(() => heard.items.join('').includes(text), { what: `${text} in ${heard.items.join('')}` });
  return { socket, heard, hears };
}

test('bytes flow both ways, and wait while a direction is silent', async () => {
  const { socket, heard, hears } = await client();
  socket.write('one');
  await hears('one');
  proxy.silence('from-target');
  expect(proxy.mode).toBe('faulty');
  const arrived = once(atServer[0]!, 'data');
  socket.write('two');
  await arrived;
  expect(heard.items.join('')).toBe('one');
  proxy.heal();
  await hears('two');
  expect(proxy.mode).toBe('passing');
});

test('bytes come later, or drop by drop, and none is missing', async () => {
  const { socket, heard, hears } = await client();
  proxy.delay(100, 'to-target');
  const startedMs = performance.now();
  socket.write('late');
  await hears('late');
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(99);
  proxy.trickle(100, 'from-target');
  proxy.delay(0, 'to-target');
  socket.write('0123456789');
  await hears('0123456789');
  expect(heard.items.length).toBeGreaterThan(2);
});

test('a half close ends one direction and leaves the other open', async () => {
  const { socket, hears } = await client();
  socket.write('a');
  await hears('a');
  proxy.halfClose('from-target');
  await hears('(end)');
  const arrived = once(atServer[0]!, 'data');
  socket.write('still heard');
  expect(String((await arrived)[0])).toBe('still heard');
});

test('a reset breaks the connections there are, a cut also those to come', async () => {
  const first = await client();
  first.socket.write('x');
  await first.hears('x');
  proxy.reset();
  await first.hears('(reset)');
  const second = await client();
  second.socket.write('y');
  await second.hears('y');
  proxy.cut();
  await second.hears('(reset)');
  const third = await client().catch(() => null);
  await third?.hears('(reset)');
  expect(proxy.mode).toBe('cut');
});
