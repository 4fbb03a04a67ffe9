import { describe, expect, test } from 'vitest';
import { createDnsLookup } from '../src/index.ts';
import { A, AAAA, type NameAnswer, NXDOMAIN, SERVFAIL, startNameServer, TXT } from './name-server.ts';

async function setup(answer: (type: number) => NameAnswer | null, queryTimeoutMs: number) {
  const server = await startNameServer((_name, type) => answer(type));
  const lookup = createDnsLookup({ servers: [server.address], queryTimeoutMs, tries: 1 });
  return { lookup, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const ipv4: NameAnswer = { records: [{ type: A, ttl: 300, data: '8.8.8.8' }] };
const ipv6: NameAnswer = { records: [{ type: AAAA, ttl: 20, data: '2606:4700::1' }] };

/** How long silence is waited for; whatever answers has a long time. */
const patience = (...answers: readonly (NameAnswer | null)[]) => (answers.includes(null) ? 500 : 20_000);

describe('a name', () => {
  test('gives the addresses of both families with their times to live', async () => {
    await using server = await setup((type) => (type === A ? ipv4 : ipv6), patience());
    expect(await server.lookup('a.example.com')).toEqual([
      { address: '8.8.8.8', ttlSeconds: 300 },
      { address: '2606:4700::1', ttlSeconds: 20 },
    ]);
  });

  test.each<[string, NameAnswer | null, NameAnswer | null, string]>([
    ['no record of the other', ipv4, {}, '8.8.8.8'],
    ['a failing server for the other', ipv4, { code: SERVFAIL }, '8.8.8.8'],
    ['silence for the other', null, ipv6, '2606:4700::1'],
  ])('with one family and %s gives the one', async (_, forA, forAaaa, address) => {
    await using server = await setup((type) => (type === AAAA ? forAaaa : forA), patience(forA, forAaaa));
    expect((await server.lookup('a.example.com')).map((answer) => answer.address)).toEqual([address]);
  });

  test.each<[string, NameAnswer | null, NameAnswer | null, string]>([
    ['that does not exist', { code: NXDOMAIN }, { code: NXDOMAIN }, 'ENOTFOUND'],
    ['without addresses', {}, {}, 'ENODATA'],
    ['whose server fails', { code: SERVFAIL }, { code: SERVFAIL }, 'ESERVFAIL'],
    ['whose server fails for one family', {}, { code: SERVFAIL }, 'ESERVFAIL'],
    ['whose server is silent', null, null, 'ETIMEOUT'],
  ])('%s rejects with the telling code', async (_, forA, forAaaa, code) => {
    await using server = await setup((type) => (type === AAAA ? forAaaa : forA), patience(forA, forAaaa));
    await expect(server.lookup('a.example.com')).rejects.toMatchObject({ code });
  });
});

test('a family that stays silent keeps the other for a moment alone, however long its servers may take', async () => {
  await using server = await startNameServer((_name, type) => (type === A ? ipv4 : null));
  const lookup = createDnsLookup({ servers: [server.address], queryTimeoutMs: 600_000, otherFamilyMs: 1 });
  expect(await lookup('a.example.com')).toMatchObject([{ address: '8.8.8.8' }]);
});

test('an answer that is garbled fails no other name that is asked for meanwhile', async () => {
  const released = Promise.withResolvers<NameAnswer>();
  const garbled: NameAnswer = { records: [{ type: TXT, data: '' }] };
  await using server = await startNameServer((name) =>
    name === 'garbled.example.com' ? garbled : released.promise,
  );
  const lookup = createDnsLookup({ servers: [server.address], queryTimeoutMs: patience() });
  const neighbour = lookup('a.example.com');
  await expect.poll(() => server.asked.length).toBe(2);
  await expect(lookup('garbled.example.com')).rejects.toMatchObject({ code: 'EBADRESP' });
  released.resolve({ records: [{ name: 'a.example.com', type: A, data: '8.8.8.8' }] });
  expect(await neighbour).toMatchObject([{ address: '8.8.8.8' }]);
});
