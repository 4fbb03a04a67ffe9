import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { OK, respond, startRawReceiver } from './raw-receiver.ts';
import { setupAgent } from './setup-agent.ts';

test('a request that may not be written when its connection is there is not, and the connection is given up', async () => {
  await using receiver = await startRawReceiver({ onRequest: respond(OK) });
  await using setup = setupAgent();
  const url = `http://127.0.0.1:${receiver.port}/`;
  const asked: number[] = [];
  const sent = await setup.send(url, { mayWrite: () => asked.push(receiver.connections) === 0 });
  expect(sent).toMatchObject({ kind: 'withheld', timing: { reusedConnection: false } });
  expect(asked).toHaveLength(1);
  await receiver.closed(1);
  expect(receiver.requests).toEqual([]);
  expect(setup.agent.stats()).toMatchObject({ openConnections: 0, requestsInFlight: 0 });
});

test('nothing is written on an open connection either, and none is tried again for it', async () => {
  await using receiver = await startRawReceiver({ onRequest: respond(OK) });
  await using setup = setupAgent();
  const url = `http://127.0.0.1:${receiver.port}/`;
  expect(await setup.send(url)).toMatchObject({ kind: 'response' });
  const sent = await setup.send(url, { mayWrite: () => false });
  expect(sent).toMatchObject({ kind: 'withheld', timing: { reusedConnection: true } });
  expect(receiver.requests).toHaveLength(1);
  expect(receiver.connections).toBe(1);
});

test('who waits for a connection is asked when it is there, not before', async () => {
  const held: Socket[] = [];
  const first = Promise.withResolvers<void>();
  await using receiver = await startRawReceiver({
    onRequest: (socket) => {
      held.push(socket);
      first.resolve();
    },
  });
  await using setup = setupAgent({ connectionsPerOrigin: 1 });
  const url = `http://127.0.0.1:${receiver.port}/`;
  let open = true;
  const one = setup.send(url, { mayWrite: () => open });
  await first.promise;
  const two = setup.send(url, { mayWrite: () => open });
  open = false;
  held[0]!.write(OK);
  expect(await one).toMatchObject({ kind: 'response' });
  expect(await two).toMatchObject({ kind: 'withheld' });
  expect(receiver.requests).toHaveLength(1);
});

test('a request that may be written is', async () => {
  await using receiver = await startRawReceiver({ onRequest: respond(OK) });
  await using setup = setupAgent();
  const sent = await setup.send(`http://127.0.0.1:${receiver.port}/`, { mayWrite: () => true });
  expect(sent).toMatchObject({ kind: 'response', status: 200 });
});
