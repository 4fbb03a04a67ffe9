import { expect, test } from 'vitest';
import { OK, respond, startRawReceiver } from './raw-receiver.ts';
import { setupAgent } from './setup-agent.ts';

test.each([
  ['a list', ['x-own', '1']],
  ['names and values', { 'x-own': '1' }],
])('every request names this system, its headers given as %s', async (_, headers) => {
  await using receiver = await startRawReceiver({ onRequest: respond(OK) });
  await using setup = setupAgent({ loopName: 'posthorn-eu' });
  const url = `http://127.0.0.1:${receiver.port}/`;
  for (let n = 0; n < 2; n++) await setup.send(url, { headers });
  expect(receiver.requests).toHaveLength(2);
  for (const request of receiver.requests) {
    expect(request.match(/^cdn-loop: posthorn-eu\r$/gim)).toHaveLength(1);
    expect(request).toMatch(/^x-own: 1\r$/m);
  }
});
