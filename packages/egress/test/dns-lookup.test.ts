import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { createDnsLookup } from '../src/index.ts';

const A = 1;
const AAAA = 28;
const SERVFAIL = 2;
const NXDOMAIN = 3;

type Answer = {
  readonly code?: number;
  readonly records?: readonly { readonly ttl: number; readonly bytes: number[] }[];
};

/** A name server of one reply: the question is sent back with what the script says for its type; null is silence. */
async function startNameServer(answer: (type: number) => Answer | null) {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const end = query.indexOf(0, 12) + 1;
    const type = query.readUInt16BE(end);
    const reply = answer(type);
    if (reply === null) return;
    const records = reply.records ?? [];
    const header = Buffer.from([
      query[0]!,
      query[1]!,
      0x81,
      0x80 | (reply.code ?? 0),
      0,
      1,
      0,
      records.length,
      0,
      0,
      0,
      0,
    ]);
    const parts = records.map(({ ttl, bytes }) =>
      Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, ttl >> 8, ttl & 255, 0, bytes.length, ...bytes]),
    );
    socket.send(Buffer.concat([header, query.subarray(12, end + 4), ...parts]), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    lookup: createDnsLookup({
      servers: [`127.0.0.1:${socket.address().port}`],
      queryTimeoutMs: 100,
      tries: 1,
    }),
    [Symbol.asyncDispose]: async () => {
      socket.close();
      await once(socket, 'close');
    },
  };
}

const ipv4 = { records: [{ ttl: 300, bytes: [8, 8, 8, 8] }] };
const ipv6 = { records: [{ ttl: 20, bytes: [0x26, 6, 0x47, 0, ...Array<number>(11).fill(0), 1] }] };

describe('a name', () => {
  test('gives the addresses of both families with their times to live', async () => {
    await using server = await startNameServer((type) => (type === A ? ipv4 : ipv6));
    expect(await server.lookup('a.example.com')).toEqual([
      { address: '8.8.8.8', ttlSeconds: 300 },
      { address: '2606:4700::1', ttlSeconds: 20 },
    ]);
  });

  test.each<[string, Answer | null, Answer | null, string]>([
    ['no record of the other', ipv4, {}, '8.8.8.8'],
    ['a failing server for the other', ipv4, { code: SERVFAIL }, '8.8.8.8'],
    ['silence for the other', null, ipv6, '2606:4700::1'],
  ])('with one family and %s gives the one', async (_, forA, forAaaa, address) => {
    await using server = await startNameServer((type) => (type === AAAA ? forAaaa : forA));
    expect((await server.lookup('a.example.com')).map((answer) => answer.address)).toEqual([address]);
  });

  test.each<[string, Answer | null, Answer | null, string]>([
    ['that does not exist', { code: NXDOMAIN }, { code: NXDOMAIN }, 'ENOTFOUND'],
    ['without addresses', {}, {}, 'ENODATA'],
    ['whose server fails', { code: SERVFAIL }, { code: SERVFAIL }, 'ESERVFAIL'],
    ['whose server fails for one family', {}, { code: SERVFAIL }, 'ESERVFAIL'],
    ['whose server is silent', null, null, 'ETIMEOUT'],
  ])('%s rejects with the telling code', async (_, forA, forAaaa, code) => {
    await using server = await startNameServer((type) => (type === AAAA ? forAaaa : forA));
    await expect(server.lookup('a.example.com')).rejects.toMatchObject({ code });
  });
});
