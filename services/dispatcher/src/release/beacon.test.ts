import { systemClock } from '@posthorn/runtime';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fakeLog, fakeProducer } from '../../test/fakes.ts';
import { createBeacon } from './beacon.ts';
import { createBrokerClock } from './broker-clock.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const SKEW_MS = 3_600_000;

function setup(appendTimeMs: () => number | null = () => Date.now() + SKEW_MS) {
  const producer = fakeProducer(appendTimeMs);
  const monotonicMs = () => systemClock.monotonicMs();
  const brokerClock = createBrokerClock(monotonicMs);
  const { log, lines } = fakeLog();
  const beacon = createBeacon({ producer, topic: 'retry.1s', brokerClock, monotonicMs, log });
  return { beacon, producer, brokerClock, lines, monotonicMs };
}

test("started, the broker's clock is known", async () => {
  const { beacon, producer, brokerClock } = setup();
  await beacon.start();
  expect(Math.abs(brokerClock.nowMs() - Date.now() - SKEW_MS)).toBeLessThanOrEqual(1);
  expect(producer.sent).toMatchObject([{ topic: 'retry.1s', partition: 0, headers: { ph_beacon: '1' } }]);
  beacon.stop();
});

test('a beacon is written every ten seconds while nothing newer is seen, and none once stopped', async () => {
  const { beacon, producer } = setup();
  await beacon.start();
  await vi.advanceTimersByTimeAsync(30_500);
  expect(producer.sent).toHaveLength(4);
  beacon.stop();
  await vi.advanceTimersByTimeAsync(30_000);
  expect(producer.sent).toHaveLength(4);
});

test('while other records tell the time no beacon is needed', async () => {
  const { beacon, producer, brokerClock, monotonicMs } = setup();
  await beacon.start();
  for (let i = 0; i < 6; i++) {
    await vi.advanceTimersByTimeAsync(5_000);
    brokerClock.observe({
      appendTimeMs: Date.now() + SKEW_MS,
      sentMs: monotonicMs(),
      ackedMs: monotonicMs(),
    });
  }
  expect(producer.sent).toHaveLength(1);
  beacon.stop();
});

test('a broker that is away later is no fault: the last sample carries on', async () => {
  const { beacon, producer, brokerClock, lines } = setup();
  await beacon.start();
  producer.answer(() => Promise.reject(new Error('no broker')));
  await vi.advanceTimersByTimeAsync(11_000);
  expect(lines).toMatchObject([{ level: 'warn' }, { level: 'warn' }]);
  expect(Math.abs(brokerClock.nowMs() - Date.now() - SKEW_MS)).toBeLessThanOrEqual(1);
  beacon.stop();
});

test('a topic that tells no append time is refused', async () => {
  const { beacon } = setup(() => null);
  await expect(beacon.start()).rejects.toThrow(/retry\.1s.*LogAppendTime/);
});
