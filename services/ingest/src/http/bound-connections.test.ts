import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { boundConnections, networkOf } from './bound-connections.ts';

async function setup(trustedProxies: readonly string[] = []) {
  const refused: string[] = [];
  const server: Server = createServer((_request, response) => response.end('here'));
  const ingestMetrics = { countRefusedConnection: (why: string) => void refused.push(why) };
  boundConnections(server, { maxConnections: 4, trustedProxies, ingestMetrics });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const opened: Socket[] = [];
  onTestFinished(() => {
    for (const socket of opened) socket.destroy();
    server.close();
  });
  /** Resolves with what the connection is told, '' when it is closed without a word. */
  const ask = (): Promise<string> => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n'));
    opened.push(socket);
    return new Promise((resolve) => {
      socket.once('data', (chunk) => resolve(chunk.toString()));
      socket.once('error', () => resolve(''));
      socket.once('close', () => resolve(''));
    });
  };
  return { ask, opened, refused, server };
}

test('one client has half of the connections at most, and a place again when one of them ends', async () => {
  const { ask, opened, refused, server } = await setup();
  expect(await ask()).toContain('here');
  const accepted = once(server, 'connection');
  expect(await ask()).toContain('here');
  expect([await ask(), refused]).toEqual(['', ['client']]);
  const [socket] = (await accepted) as [Socket];
  opened[1]!.destroy();
  if (!socket.closed) await once(socket, 'close');
  expect(await ask()).toContain('here');
});

test('a proxy that is trusted has all of them, and what is beyond is closed', async () => {
  const { ask, refused } = await setup(['127.0.0.0/8', '2001:db8::1']);
  for (let i = 0; i < 4; i++) expect(await ask()).toContain('here');
  expect([await ask(), refused]).toEqual(['', ['all']]);
});

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2:ffff::9', '2001:db8:1:2'],
  ['2001:db8::9', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
])('%s is of the network %s', (address, network) => expect(networkOf(address)).toBe(network));
