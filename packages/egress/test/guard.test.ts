import { describe, expect, test } from 'vitest';
import { createAddressPolicy, createGuardedAgent, createResolver, parseTarget } from '../src/index.ts';
import { OK, respond, startRawReceiver } from './raw-receiver.ts';
import { setupAgent } from './setup-agent.ts';

const at = (address: string) => async () => [{ address, ttlSeconds: 60 }];
const refused = { kind: 'failure', failure: 'blocked', detail: 'connection refused', sentAnyBytes: false };

describe('a denied address sees no connection', () => {
  test.each([
    '127.0.0.1',
    '127.1',
    '0x7f000001',
    '2130706433',
    '[::ffff:127.0.0.1]',
    '①②⑦.⓪.⓪.①',
    'localhost',
    'a.localhost',
  ])('as the host %s', async (host) => {
    await using receiver = await startRawReceiver({ onRequest: respond(OK) });
    await using setup = setupAgent({ allowedCidrs: [] });
    expect(await setup.send(`http://${host}:${receiver.port}/`)).toMatchObject(refused);
    expect(await setup.send(`https://${host}:${receiver.port}/`)).toMatchObject(refused);
    expect(receiver.connections).toBe(0);
  });

  test('in IPv6', async () => {
    await using receiver = await startRawReceiver({ onRequest: respond(OK), host: '::1' });
    await using setup = setupAgent();
    expect(await setup.send(`http://[::1]:${receiver.port}/`)).toMatchObject(refused);
    expect(receiver.connections).toBe(0);
  });

  test.each(['127.0.0.1', '::ffff:127.0.0.1', '::ffff:7f00:1', '0.0.0.0'])(
    'as the answer %s of DNS',
    async (address) => {
      await using receiver = await startRawReceiver({ onRequest: respond(OK) });
      await using setup = setupAgent({ allowedCidrs: [], lookup: at(address) });
      expect(await setup.send(`http://innocent.example.com:${receiver.port}/`)).toMatchObject(refused);
      expect(receiver.connections).toBe(0);
    },
  );

  test('among good answers: then none is called', async () => {
    await using receiver = await startRawReceiver({ onRequest: respond(OK) });
    const lookup = async () => ['127.0.0.1', '10.0.0.1'].map((address) => ({ address, ttlSeconds: 60 }));
    await using setup = setupAgent({ lookup });
    expect(await setup.send(`http://mixed.example.com:${receiver.port}/`)).toMatchObject(refused);
    expect(receiver.connections).toBe(0);
  });

  test('after a redirect', async () => {
    await using inner = await startRawReceiver({ onRequest: respond(OK), host: '127.0.0.2' });
    await using outer = await startRawReceiver({
      onRequest: respond(
        `HTTP/1.1 307 X\r\nlocation: http://127.0.0.2:${inner.port}/\r\ncontent-length: 0\r\n\r\n`,
      ),
    });
    await using setup = setupAgent({ allowedCidrs: ['127.0.0.1/32'] });
    expect(await setup.send(`http://127.0.0.1:${outer.port}/`)).toMatchObject({
      kind: 'response',
      status: 307,
    });
    expect(inner.connections).toBe(0);
  });
});

test('a name that changes its address after the check is dialled where it was checked', async () => {
  await using good = await startRawReceiver({ onRequest: respond(OK), host: '127.0.0.1' });
  await using bad = await startRawReceiver({ onRequest: respond(OK), host: '127.0.0.2' });
  const answers = ['127.0.0.1', '127.0.0.2'];
  let asked = 0;
  const lookup = async () => [{ address: answers[Math.min(asked++, 1)]!, ttlSeconds: 0 }];
  await using setup = setupAgent({ allowedCidrs: ['127.0.0.1/32'], lookup });
  expect(await setup.send(`http://rebinding.example.com:${good.port}/`)).toMatchObject({ status: 200 });
  expect(asked).toBe(1);
  expect(bad.connections).toBe(0);
});

test('a new connection after a change of DNS is judged anew', async () => {
  await using receiver = await startRawReceiver({
    onRequest: respond(OK.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n')),
  });
  let address = '127.0.0.1';
  let nowMs = 0;
  const policy = createAddressPolicy({ allowedCidrs: ['127.0.0.1/32'] });
  const resolver = createResolver({
    policy,
    monotonicMs: () => nowMs,
    lookup: async () => [{ address, ttlSeconds: 1 }],
  });
  await using setup = setupAgent({ resolver, policy });
  const url = `http://rebinding.example.com:${receiver.port}/`;
  expect(await setup.send(url)).toMatchObject({ status: 200 });
  address = '169.254.169.254';
  nowMs += 1_000;
  expect(await setup.send(url)).toMatchObject({
    ...refused,
    operatorDetail: expect.stringContaining('169.254.169.254'),
  });
  expect(receiver.connections).toBe(1);
});

test('to the tenant a blocked address reads like a closed port', async () => {
  const receiver = await startRawReceiver({});
  const { port } = receiver;
  await receiver[Symbol.asyncDispose]();
  await using setup = setupAgent({ allowedCidrs: ['127.0.0.1/32'] });
  const closed = await setup.send(`http://127.0.0.1:${port}/`);
  const blocked = await setup.send(`http://127.0.0.2:${port}/`);
  const seen = [closed, blocked].map(
    (result) => result.kind === 'failure' && [result.detail, result.sentAnyBytes],
  );
  expect(seen[0]).toEqual(seen[1]);
});

test('ports, schemes and hosts are judged when dialled too: the policy may be another than when the URL was stored', async () => {
  await using receiver = await startRawReceiver({ onRequest: respond(OK) });
  const { port } = receiver;
  const policies = [{ deniedPorts: [port] }, { httpsOnly: true }, { deniedHosts: ['127.0.0.1'] }].map(
    (options) => createAddressPolicy({ allowedCidrs: ['127.0.0.0/8'], ...options }),
  );
  for (const policy of policies) {
    const agent = createGuardedAgent({ policy });
    const target = parseTarget(`http://127.0.0.1:${port}/`)!;
    const result = await agent.send({
      target,
      method: 'POST',
      headers: {},
      body: Buffer.from(''),
      deadlineMs: 1_000,
    });
    expect(result).toMatchObject(refused);
    await agent.close();
  }
  expect(receiver.connections).toBe(0);
});
