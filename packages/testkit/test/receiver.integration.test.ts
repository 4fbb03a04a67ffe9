import { request } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Receiver, startReceiver } from '../src/index.ts';

let receiver: Receiver;

beforeAll(async () => {
  receiver = await startReceiver();
});
afterAll(() => receiver.close());

/** Resolves with the status, or with the error's code when there is no answer. */
function post(path: string, body: string): Promise<number | string> {
  return new Promise((resolve) => {
    const sent = request(receiver.url(path), { method: 'POST' }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.once('error', (error) => resolve('code' in error ? String(error.code) : error.message));
    sent.end(body);
  });
}

it('records what arrived byte for byte and wakes whoever waits for it', async () => {
  const waiting = receiver.waitForCount(1, '/bytes');
  await post('/bytes', '{"n": 1e400, "é":"\\u00e9"}');
  const [arrival] = await waiting;
  expect(arrival?.body.toString()).toBe('{"n": 1e400, "é":"\\u00e9"}');
  expect(arrival?.method).toBe('POST');
});

it('uses up a list of answers in order and then repeats the last', async () => {
  receiver.answer('/list', [{ status: 503 }, { status: 500 }, { status: 204 }]);
  const statuses = [];
  for (let i = 0; i < 4; i++) statuses.push(await post('/list', ''));
  expect(statuses).toEqual([503, 500, 204, 204]);
});

it('cuts the connection where it is told to', async () => {
  receiver.answer('/cut', 'reset');
  expect(await post('/cut', 'x')).toBe('ECONNRESET');
});

it('counts the requests that are open at once', async () => {
  receiver.answer('/slow', { delayMs: 50 });
  await Promise.all([post('/slow', ''), post('/slow', ''), post('/slow', '')]);
  expect(receiver.peakOpen).toBeGreaterThanOrEqual(3);
});

it('names what it waited for when the time is up', async () => {
  await expect(receiver.waitForCount(1, '/never', { timeoutMs: 10 })).rejects.toThrow(
    '1 arrivals at /never, 0 came',
  );
});
