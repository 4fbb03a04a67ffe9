import { once } from 'node:events';
import net from 'node:net';
import { createAuthority } from '@posthorn/testkit';
import { expect, test } from 'vitest';
import { parseProxyUrl, type SendResult } from '../src/index.ts';
import { respond, startRawReceiver } from './raw-receiver.ts';
import { setupAgent } from './setup-agent.ts';

const HEAD = 'HTTP/1.1 201 Created\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n';
const WHOLE = `${HEAD}5\r\nhello\r\n0\r\n\r\n`;

type Cut = 'FIN' | 'reset';

function cut(socket: net.Socket, how: Cut): void {
  if (how === 'FIN') socket.end();
  else socket.resetAndDestroy();
}

test.each<Cut>(['FIN', 'reset'])(
  'a response cut by %s after each of its bytes is a failed connection',
  async (how) => {
    let length = 0;
    await using receiver = await startRawReceiver({
      onRequest: (socket) => void socket.write(WHOLE.slice(0, length), () => cut(socket, how)),
    });
    await using setup = setupAgent();
    for (length = 0; length < WHOLE.length; length++) {
      const result = await setup.send(`http://127.0.0.1:${receiver.port}/`);
      expect(result, `${length} bytes`).toMatchObject({
        kind: 'failure',
        failure: 'connect',
        sentAnyBytes: true,
      });
      // A reset may take along what was not read yet.
      if (how === 'FIN')
        expect(statusOf(result), `${length} bytes`).toBe(length < HEAD.length ? undefined : 201);
    }
    expect(receiver.requests).toHaveLength(WHOLE.length);
    expect(setup.agent.stats()).toMatchObject({ openConnections: 0, requestsInFlight: 0 });
  },
);

const statusOf = (result: SendResult) => (result.kind === 'withheld' ? undefined : result.status);

/** Passes bytes on, and of those of the receiver only so many of each connection. */
async function startCutter(port: number, how: Cut, most: () => number) {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((client) => {
    const receiver = net.connect(port, '127.0.0.1');
    let left = most();
    for (const socket of [client, receiver]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    client.pipe(receiver);
    receiver.on('data', (chunk) => {
      client.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left > 0) return;
      receiver.destroy();
      cut(client, how);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

test.each<Cut>(['FIN', 'reset'])(
  'TLS cut by %s at any stage is a failure of TLS or of the connection',
  async (how) => {
    const authority = createAuthority();
    const { certificate: cert, key } = authority.issue({ name: 'receiver', names: ['hooks.example'] });
    let most = 1;
    await using receiver = await startRawReceiver({ tls: { cert, key }, onRequest: respond(WHOLE) });
    await using cutter = await startCutter(receiver.port, how, () => most);
    const lookup = async () => [{ address: '127.0.0.1', ttlSeconds: 60 }];
    await using setup = setupAgent({ lookup, extraAuthorities: [authority.certificate] });
    const failures = new Set<string>();
    // Of the handshake, the tickets after it, and the response.
    for (most = 1; most < 1_500; most += 97) {
      const result = await setup.send(`https://hooks.example:${cutter.port}/`);
      if (result.kind === 'response') break;
      expect(result).toMatchObject({ kind: 'failure', failure: expect.stringMatching(/^(tls|connect)$/) });
      if (result.kind === 'failure') failures.add(result.failure);
    }
    expect(failures).toContain('tls');
    expect(setup.agent.stats()).toMatchObject({ openConnections: 0, requestsInFlight: 0 });
  },
);

test('no status of redirection opens a second connection', async () => {
  let status = 300;
  await using elsewhere = await startRawReceiver({});
  await using receiver = await startRawReceiver({
    onRequest: (socket) => {
      const location = `location: http://127.0.0.1:${elsewhere.port}/\r\nrefresh: 0; url=http://127.0.0.1:${elsewhere.port}/\r\n`;
      socket.write(`HTTP/1.1 ${status} X\r\n${location}content-length: 0\r\n\r\n`);
    },
  });
  await using setup = setupAgent();
  for (; status < 400; status++) {
    const result = await setup.send(`http://127.0.0.1:${receiver.port}/`);
    expect(result).toMatchObject({ kind: 'response', status });
  }
  expect(receiver.connections).toBe(1);
  expect(elsewhere.connections).toBe(0);
});

const TUNNELS = {
  http: [Buffer.from('HTTP/1.1 200 Connection established\r\n\r\n')],
  socks5: [Buffer.from([5, 2]), Buffer.from([1, 0]), Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 80])],
};

test.each<['http' | 'socks5', Cut]>([
  ['http', 'FIN'],
  ['http', 'reset'],
  ['socks5', 'FIN'],
  ['socks5', 'reset'],
])(
  'a proxy that speaks %s, cut by %s after each byte of its answers, is a failed connection',
  async (kind, how) => {
    const answers = TUNNELS[kind];
    const whole = Buffer.concat(answers);
    let length = 0;
    await using proxy = await startRawReceiver({
      onConnection: (socket) => {
        let [said, turn] = [0, 0];
        // Each of what the client says is one write, and so one chunk on loopback.
        socket.on('data', () => {
          const answer = (answers[turn++] ?? Buffer.alloc(0)).subarray(0, Math.max(0, length - said));
          said += answer.length;
          socket.write(answer, () => void (said === length && cut(socket, how)));
        });
      },
    });
    const proxyUrl = `${kind}://user:password@127.0.0.1:${proxy.port}`;
    await using setup = setupAgent({ proxy: parseProxyUrl(proxyUrl, { resolvesNames: false }) });
    for (length = 0; length <= whole.length; length++) {
      const result = await setup.send('http://127.0.0.1:81/');
      expect(result, `${length} bytes`).toMatchObject({ kind: 'failure', failure: 'connect' });
    }
    expect(setup.agent.stats()).toMatchObject({ openConnections: 0, requestsInFlight: 0 });
  },
);
