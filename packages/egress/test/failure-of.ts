import { expect } from 'vitest';
import { type OnRequest, startRawReceiver } from './raw-receiver.ts';
import { setupAgent } from './setup-agent.ts';

/** What comes of one request to a receiver that does this; no connection is left of it. */
export async function failureOf(onRequest: OnRequest) {
  await using receiver = await startRawReceiver({ onRequest });
  await using setup = setupAgent();
  const result = await setup.send(`http://127.0.0.1:${receiver.port}/`);
  expect(setup.agent.stats()).toMatchObject({ idleConnections: 0, openConnections: 0 });
  return result;
}
