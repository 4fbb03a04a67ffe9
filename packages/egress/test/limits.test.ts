import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { OK, respond, startRawReceiver } from './raw-receiver.ts';
import { DEADLINE_MS, setupAgent } from './setup-agent.ts';

/** A receiver that holds its answers until told. */
async function startHoldingReceiver() {
  const held: Socket[] = [];
  let wake = () => {};
  const receiver = await startRawReceiver({
    onRequest: (socket) => {
      held.push(socket);
      wake();
    },
  });
  return {
    receiver,
    url: `http://127.0.0.1:${receiver.port}/`,
    async holds(count: number): Promise<void> {
      while (held.length < count) await new Promise<void>((resolve) => (wake = resolve));
    },
    answerOne: () => void held.shift()!.write(OK),
    [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose](),
  };
}

describe('connections to one origin', () => {
  test('are bounded; who waits gets the first that becomes free, in order', async () => {
    await using holding = await startHoldingReceiver();
    await using setup = setupAgent({ connectionsPerOrigin: 2 });
    const done: number[] = [];
    const sends = [0, 1, 2, 3].map(async (n) => {
      const result = await setup.send(holding.url);
      done.push(n);
      return result;
    });
    await holding.holds(2);
    expect(setup.agent.stats()).toMatchObject({
      openConnections: 2,
      waitingRequests: 2,
      requestsInFlight: 4,
    });
    for (let answered = 0; answered < 4; answered++) {
      await holding.holds(1);
      holding.answerOne();
    }
    const results = await Promise.all(sends);
    expect(results.every((result) => result.kind === 'response')).toBe(true);
    expect(done.slice(2).sort()).toEqual([2, 3]);
    expect(holding.receiver.connections).toBe(2);
  });

  test('that fail give their place to who waits', async () => {
    await using receiver = await startRawReceiver({ onRequest: (socket) => socket.resetAndDestroy() });
    await using setup = setupAgent({ connectionsPerOrigin: 1 });
    const url = `http://127.0.0.1:${receiver.port}/`;
    const results = await Promise.all([setup.send(url), setup.send(url), setup.send(url)]);
    expect(results).toMatchObject([{ failure: 'connect' }, { failure: 'connect' }, { failure: 'connect' }]);
    expect(receiver.connections).toBe(3);
  });

  test('that cannot be opened give their place to who waits', async () => {
    await using setup = setupAgent({
      connectionsPerOrigin: 1,
      lookup: () => Promise.reject(new Error('no')),
    });
    const results = await Promise.all([
      setup.send('http://a.example.com/'),
      setup.send('http://a.example.com/'),
    ]);
    expect(results).toMatchObject([{ failure: 'dns' }, { failure: 'dns' }]);
    expect(setup.agent.stats()).toMatchObject({ openConnections: 0, waitingRequests: 0 });
  });

  test('are waited for no longer than the deadline', async () => {
    await using holding = await startHoldingReceiver();
    await using setup = setupAgent({ connectionsPerOrigin: 1 });
    const first = setup.send(holding.url);
    await holding.holds(1);
    const second = await setup.send(holding.url, { deadlineMs: DEADLINE_MS });
    expect(second).toMatchObject({
      failure: 'timeout',
      detail: 'no connection became free',
      sentAnyBytes: false,
    });
    holding.answerOne();
    expect(await first).toMatchObject({ status: 200 });
  });

  test('are waited for by a bounded number', async () => {
    await using holding = await startHoldingReceiver();
    await using setup = setupAgent({ connectionsPerOrigin: 1, maxWaiting: 0 });
    const first = setup.send(holding.url);
    expect(await setup.send(holding.url)).toMatchObject({ failure: 'connect', sentAnyBytes: false });
    await holding.holds(1);
    holding.answerOne();
    await first;
  });
});

describe('connections in all', () => {
  test('are bounded: the one that was idle the longest makes room', async () => {
    await using receiver = await startRawReceiver({ onRequest: respond(OK) });
    await using setup = setupAgent({ maxConnections: 2 });
    for (const host of ['127.0.0.1', '127.0.0.1:', 'localhost', 'a.localhost', 'b.localhost']) {
      await setup.send(`http://${host.replace(':', '')}:${receiver.port}/`);
    }
    expect(setup.agent.stats()).toMatchObject({ openConnections: 2, idleConnections: 2, origins: 4 });
    expect(receiver.connections).toBe(4);
    await Promise.all([receiver.closed(1), receiver.closed(2)]);
  });

  test('are bounded: with all busy, another origin waits for one', async () => {
    await using holding = await startHoldingReceiver();
    await using other = await startRawReceiver({ onRequest: respond(OK) });
    await using setup = setupAgent({ maxConnections: 1 });
    const first = setup.send(holding.url);
    await holding.holds(1);
    const second = setup.send(`http://127.0.0.1:${other.port}/`);
    expect(other.connections).toBe(0);
    holding.answerOne();
    expect(await first).toMatchObject({ status: 200 });
    expect(await second).toMatchObject({ status: 200 });
    await holding.receiver.closed(1);
  });
});

test('of more origins than may be remembered, the least recently used loses its connections', async () => {
  await using receiver = await startRawReceiver({ onRequest: respond(OK) });
  await using setup = setupAgent({ maxOrigins: 2 });
  for (const host of ['a', 'b', 'a', 'c']) await setup.send(`http://${host}.localhost:${receiver.port}/`);
  expect(setup.agent.stats()).toMatchObject({ origins: 2, openConnections: 2, evictedOrigins: 1 });
  await receiver.closed(2);
  expect(receiver.connections).toBe(3);
});

test('2,000 hosts leave no more behind than the limits say', async () => {
  await using receiver = await startRawReceiver({ onRequest: respond(OK) });
  await using setup = setupAgent({
    maxOrigins: 50,
    maxConnections: 20,
    lookup: () => Promise.reject(new Error('no')),
  });
  for (let n = 0; n < 2_000; n++) await setup.send(`http://h${n}.example.com/`);
  for (let n = 0; n < 100; n++) await setup.send(`http://h${n}.localhost:${receiver.port}/`);
  expect(setup.agent.stats()).toMatchObject({
    origins: 50,
    openConnections: 20,
    names: expect.objectContaining({ entries: 2_100, inFlight: 0 }),
  });
});

describe('an idle connection', () => {
  test('is closed after its time', async () => {
    await using receiver = await startRawReceiver({ onRequest: respond(OK) });
    await using setup = setupAgent({ keepAliveMs: 20 });
    await setup.send(`http://127.0.0.1:${receiver.port}/`);
    await setup.happened('connection_closed');
    expect(setup.agent.stats()).toMatchObject({ openConnections: 0, idleConnections: 0 });
  });

  test('is closed when the receiver closes it', async () => {
    await using receiver = await startRawReceiver({
      onRequest: (socket) => socket.write(OK, () => setImmediate(() => socket.end())),
    });
    await using setup = setupAgent();
    await setup.send(`http://127.0.0.1:${receiver.port}/`);
    await setup.happened('connection_closed');
    expect(setup.events).toEqual(['connection_opened', 'connection_closed']);
    expect(setup.agent.stats()).toMatchObject({ openConnections: 0, idleConnections: 0 });
  });

  test('is not used beyond its age, however young its last request', async () => {
    await using receiver = await startRawReceiver({ onRequest: respond(OK) });
    let nowMs = 0;
    await using setup = setupAgent({ monotonicMs: () => nowMs, maxConnectionAgeMs: 100 });
    for (const stepMs of [0, 99, 1, 0]) {
      nowMs += stepMs;
      await setup.send(`http://127.0.0.1:${receiver.port}/`);
    }
    expect(receiver.connections).toBe(2);
  });
});

describe('closing', () => {
  test('lets what is in flight end, then leaves no connection', async () => {
    await using holding = await startHoldingReceiver();
    const setup = setupAgent();
    const sent = setup.send(holding.url);
    await holding.holds(1);
    let isClosed = false;
    const closing = setup.agent.close().then(() => (isClosed = true));
    await expect(setup.send(holding.url)).rejects.toThrow('the agent is closed');
    expect(isClosed).toBe(false);
    holding.answerOne();
    expect(await sent).toMatchObject({ status: 200 });
    await Promise.all([closing, setup.agent.close(), holding.receiver.closed(1)]);
    expect(setup.agent.stats()).toMatchObject({ openConnections: 0, requestsInFlight: 0 });
  });
});
