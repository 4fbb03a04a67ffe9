import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fakeLog, fakeProducer, fakeRecord } from '../test/fakes.ts';
import { writeEntry } from './journal-entry.ts';
import { Abandoned, createSend } from './send.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const out = { topic: 'deliveries', partition: 0, key: null, value: null, headers: {} };

function setup() {
  const producer = fakeProducer();
  const retries: number[] = [];
  const fence = { up: true };
  const { log, lines } = fakeLog();
  const send = createSend({
    producer,
    mayAct: () => fence.up,
    log,
    onRetry: () => retries.push(Date.now()),
  });
  return { producer, retries, fence, send, lines };
}

test('a record that is not acknowledged is sent again until it is, with growing pauses', async () => {
  const { producer, retries, send } = setup();
  producer.answer(() => Promise.reject(new Error('no broker')));
  let acked = false;
  const sent = send(fakeRecord(), out).then(() => {
    acked = true;
  });
  await vi.advanceTimersByTimeAsync(60_000);
  const pauses = retries.slice(1).map((at, i) => at - retries[i]!);
  expect(pauses.slice(0, 4)).toEqual([100, 200, 400, 800]);
  expect(Math.max(...pauses)).toBe(5_000);
  expect(acked).toBe(false);
  producer.answer(async () => ({ partition: 0, offset: 0, appendTimeMs: null }));
  await vi.advanceTimersByTimeAsync(5_000);
  await sent;
});

test('nothing is sent while the fence is down', async () => {
  const { producer, fence, send } = setup();
  fence.up = false;
  const sent = send(fakeRecord(), out);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(producer.sent).toEqual([]);
  fence.up = true;
  await vi.advanceTimersByTimeAsync(50);
  await sent;
  expect(producer.sent).toEqual([out]);
});

test.each([
  ['the fence is down', false],
  ['the broker refuses', true],
])('what another process owns now is given up while %s', async (_, up) => {
  const { producer, fence, send } = setup();
  fence.up = up;
  producer.answer(() => Promise.reject(new Error('no broker')));
  const source = fakeRecord();
  const given = expect(send(source, out)).rejects.toThrow(Abandoned);
  await vi.advanceTimersByTimeAsync(200);
  source.live = false;
  await vi.advanceTimersByTimeAsync(5_000);
  await given;
});

const entry = { kind: 'dispatched', tenantId: 'acme' } as never;

test('an entry is journaled until it is acknowledged', async () => {
  let tries = 0;
  const append = async () => {
    tries += 1;
    if (tries < 3) throw new Error('full');
  };
  const written = writeEntry({ append }, fakeRecord(), entry);
  await vi.advanceTimersByTimeAsync(400);
  await written;
  expect(tries).toBe(3);
});

test('an entry of a record that another process owns now is given up', async () => {
  const source = fakeRecord();
  const given = expect(
    writeEntry({ append: () => Promise.reject(new Error('full')) }, source, entry),
  ).rejects.toThrow(Abandoned);
  source.live = false;
  await vi.advanceTimersByTimeAsync(200);
  await given;
});

test('an outage that meets many records is one line a second', async () => {
  const { producer, send, lines } = setup();
  producer.answer(() => Promise.reject(new Error('no broker')));
  for (let i = 0; i < 100; i++) void send(fakeRecord(), out);
  await vi.advanceTimersByTimeAsync(3_500);
  expect(lines).toHaveLength(3);
});
