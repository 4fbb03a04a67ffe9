import fc from 'fast-check';
import { expect, test } from 'vitest';
import { startRawReceiver } from './raw-receiver.ts';
import { setupAgent } from './setup-agent.ts';

const fragments = fc.constantFrom(
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.1 503 X\r\n',
  'HTTP/1.1 103 Early\r\n\r\n',
  'HTTP/1.0 200\r\n',
  'content-length: 3\r\n',
  'content-length: 0\r\n',
  'transfer-encoding: chunked\r\n',
  'connection: close\r\n',
  'connection: upgrade\r\nupgrade: x\r\n',
  'keep-alive: timeout=0\r\n',
  'trailer: x\r\n',
  '\r\n',
  '3\r\nabc\r\n',
  '0\r\n\r\n',
  'abc',
  '\n',
  '\0',
  ': ',
  '\xff\xfe',
);

test('whatever bytes a receiver sends before it hangs up, send gives a result and leaves nothing behind', async () => {
  let pieces: readonly string[] = [];
  let reset = false;
  await using receiver = await startRawReceiver({
    onRequest: (socket) => {
      socket.setNoDelay(true);
      for (const piece of pieces) socket.write(piece, 'latin1');
      if (reset) setImmediate(() => socket.resetAndDestroy());
      else socket.end();
    },
  });
  await using setup = setupAgent();
  const script = fc.tuple(fc.array(fc.oneof(fragments, fc.string()), { maxLength: 12 }), fc.boolean());
  await fc.assert(
    fc.asyncProperty(script, async ([nextPieces, nextReset]) => {
      [pieces, reset] = [nextPieces, nextReset];
      const result = await setup.send(`http://127.0.0.1:${receiver.port}/`);
      if (result.kind === 'response') expect(result.status).toBeGreaterThanOrEqual(200);
      else expect(result).toMatchObject({ failure: expect.stringMatching(/^(connect|protocol)$/) });
      expect(setup.agent.stats().requestsInFlight).toBe(0);
      expect(setup.agent.stats().openConnections).toBeLessThanOrEqual(1);
    }),
    { numRuns: 200 },
  );
});
