import { expect, onTestFinished, test } from 'vitest';
import { startDemoReceiver } from './receiver.ts';

test('the receiver of the demo agrees when it is asked, at an endpoint that fails too, and answers events by its path', async () => {
  const receiver = await startDemoReceiver(0);
  onTestFinished(() => receiver.close());
  const answerOf = async (path: string, body: object) => {
    const response = await fetch(receiver.url(path), { method: 'POST', body: JSON.stringify(body) });
    return [response.status, await response.text()];
  };
  const asked = { type: 'webhook.verification', webhook_id: 'ep_1', challenge: 'pXq3' };
  expect(await answerOf('/well', asked)).toEqual([200, 'pXq3']);
  expect(await answerOf('/broken', asked)).toEqual([200, 'pXq3']);
  expect(await answerOf('/broken', { number: 1 })).toEqual([500, 'out of order\n']);
  expect(await answerOf('/yours', { type: 'webhook.verification' })).toEqual([200, 'thanks\n']);
});
