import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { SendResult } from '../src/index.ts';
import { OK, respond, startRawReceiver } from './raw-receiver.ts';
import { DEADLINE_MS, setupAgent } from './setup-agent.ts';

/** All names are at one address, but for those that begin with the number of another one. */
const lookup = async (name: string) => {
  const other = /^at-(\d+)\./.exec(name)?.[1];
  return [{ address: `127.0.0.${other ?? 1}`, ttlSeconds: 60 }];
};

/** Holds its answers until told, to one after the other. */
async function startHoldingReceiver(host?: string) {
  const held: Socket[] = [];
  let most = 0;
  let wake = () => {};
  const receiver = await startRawReceiver({
    ...(host === undefined ? {} : { host }),
    onRequest: (socket) => {
      held.push(socket);
      most = Math.max(most, held.length);
      wake();
    },
  });
  async function holds(count: number): Promise<void> {
    while (held.length < count) await new Promise<void>((resolve) => (wake = resolve));
  }
  return {
    receiver,
    holds,
    get most() {
      return most;
    },
    async answer(count: number): Promise<void> {
      for (let answered = 0; answered < count; answered++) {
        await holds(1);
        held.shift()!.write(OK);
      }
    },
    [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose](),
  };
}

const areOk = (results: readonly SendResult[]) => results.every(({ kind }) => kind === 'response');

describe('connections to one address', () => {
  test('are as few for many names of many tenants as for one: who comes beyond waits for one to be free', async () => {
    await using holding = await startHoldingReceiver();
    await using setup = setupAgent({ lookup, connectionsPerAddress: 3, waitingPerAddress: 3 });
    const sends = Array.from({ length: 6 }, (_, n) =>
      setup.send(`http://name-${n}.example.com:${holding.receiver.port}/`, { onBehalfOf: `tenant-${n}` }),
    );
    await holding.holds(3);
    expect(setup.agent.stats()).toMatchObject({ openConnections: 3, waitingRequests: 3, fullAddresses: 1 });
    await holding.answer(6);
    expect(areOk(await Promise.all(sends))).toBe(true);
    expect(holding.most).toBe(3);
    expect(setup.agent.stats()).toMatchObject({ openConnections: 3, waitingRequests: 0 });
  });

  test('are had by closing the one that was idle the longest', async () => {
    await using receiver = await startRawReceiver({ onRequest: respond(OK) });
    await using setup = setupAgent({ lookup, connectionsPerAddress: 2 });
    for (const name of ['a', 'b', 'c', 'b']) await setup.send(`http://${name}.example.com:${receiver.port}/`);
    await receiver.closed(1);
    expect(receiver.connections).toBe(3);
    expect(setup.agent.stats()).toMatchObject({ openConnections: 2, idleConnections: 2 });
  });

  test('that are all busy hold up nobody who goes elsewhere', async () => {
    await using holding = await startHoldingReceiver();
    await using other = await startRawReceiver({ onRequest: respond(OK), host: '127.0.0.2' });
    await using setup = setupAgent({ lookup, connectionsPerAddress: 1, maxConnections: 2 });
    const { port } = holding.receiver;
    const [first, second] = ['a', 'b'].map((name) => setup.send(`http://${name}.example.com:${port}/`));
    await holding.holds(1);
    expect(await setup.send(`http://at-2.example.com:${other.port}/`)).toMatchObject({ status: 200 });
    await holding.answer(2);
    expect(areOk(await Promise.all([first!, second!]))).toBe(true);
  });

  test('are waited for by a quarter as many, and no longer than the deadline', async () => {
    await using holding = await startHoldingReceiver();
    await using setup = setupAgent({ lookup, connectionsPerAddress: 1 });
    const { port } = holding.receiver;
    const first = setup.send(`http://a.example.com:${port}/`);
    await holding.holds(1);
    const waiting = setup.send(`http://b.example.com:${port}/`, { deadlineMs: DEADLINE_MS });
    const beyond = await setup.send(`http://c.example.com:${port}/`);
    const detail = 'no connection became free';
    expect(beyond).toMatchObject({ failure: 'connect', detail, sentAnyBytes: false });
    expect(await waiting).toMatchObject({ failure: 'timeout', detail, sentAnyBytes: false });
    await holding.answer(1);
    expect(await first).toMatchObject({ status: 200 });
    expect(setup.agent.stats()).toMatchObject({ openConnections: 1, waitingRequests: 0, fullAddresses: 1 });
  });

  test('that cannot be opened, or end, leave their place to who waits', async () => {
    await using receiver = await startRawReceiver({ onRequest: (socket) => socket.resetAndDestroy() });
    await using setup = setupAgent({ lookup, connectionsPerAddress: 1 });
    const gone = await startRawReceiver({});
    await gone[Symbol.asyncDispose]();
    const ports = [receiver.port, gone.port, receiver.port, gone.port];
    for (const port of ports) {
      const sends = ['a', 'b'].map((name) => setup.send(`http://${name}.example.com:${port}/`));
      expect(await Promise.all(sends)).toMatchObject([{ failure: 'connect' }, { failure: 'connect' }]);
    }
    expect(setup.agent.stats()).toMatchObject({ openConnections: 0, waitingRequests: 0, fullAddresses: 0 });
  });

  test('at its limit leave the other addresses of a name', async () => {
    await using holding = await startHoldingReceiver();
    await using other = await startRawReceiver({ onRequest: respond(OK), host: '127.0.0.2' });
    const both = async () => ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, ttlSeconds: 60 }));
    await using setup = setupAgent({ lookup: both, connectionsPerAddress: 1 });
    const first = setup.send(`http://127.0.0.1:${holding.receiver.port}/`);
    await holding.holds(1);
    expect(await setup.send(`http://both.example.com:${other.port}/`)).toMatchObject({ status: 200 });
    await holding.answer(1);
    await first;
  });
});

test('requests to 100 names of one address all get through ten connections', async () => {
  await using receiver = await startRawReceiver({ onRequest: respond(OK) });
  await using setup = setupAgent({ lookup, connectionsPerAddress: 10, waitingPerAddress: 10 });
  const results: SendResult[] = [];
  const names = Array.from({ length: 100 }, (_, n) => `http://n${n}.example.com:${receiver.port}/`);
  const next = async (): Promise<void> => {
    for (let url = names.pop(); url !== undefined; url = names.pop()) results.push(await setup.send(url));
  };
  await Promise.all(Array.from({ length: 20 }, next));
  expect(areOk(results)).toBe(true);
  expect(results).toHaveLength(100);
  expect(setup.agent.stats().openConnections).toBeLessThanOrEqual(10);
});
