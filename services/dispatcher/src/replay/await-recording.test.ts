import { systemClock } from '@posthorn/runtime';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type AwaitRecordingOptions, createAwaitRecording } from './await-recording.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Item {
  readonly name: string;
  readonly tenantId: string;
  readonly bytes: number;
}

function setup(options: Partial<AwaitRecordingOptions<Item>> = {}) {
  const asked: string[] = [];
  const last: string[] = [];
  const recorded = new Set<string>();
  const waiting = createAwaitRecording<Item>({
    maxRecords: 4,
    maxTenantRecords: 2,
    maxBytes: 100,
    maxWaitMs: 10_000,
    monotonicMs: () => systemClock.monotonicMs(),
    async ask({ name }, mayWait) {
      (mayWait ? asked : last).push(name);
      return recorded.has(name);
    },
    ...options,
  });
  const wait = (name: string, tenantId = name, bytes = 1) => waiting.wait({ name, tenantId, bytes });
  return { waiting, wait, asked, last, recorded };
}

test('what waits is asked for with growing pauses until it is recorded', async () => {
  const { waiting, wait, asked, last, recorded } = setup();
  await wait('a');
  await vi.advanceTimersByTimeAsync(1_800);
  expect(asked).toHaveLength(3);
  recorded.add('a');
  await vi.advanceTimersByTimeAsync(2_100);
  expect([waiting.records, waiting.bytes, last.length]).toEqual([0, 0, 0]);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(asked).toHaveLength(4);
});

test('what nobody records is settled when its time is over', async () => {
  const { waiting, wait, last } = setup();
  await wait('a');
  await vi.advanceTimersByTimeAsync(9_900);
  expect(last).toEqual([]);
  await vi.advanceTimersByTimeAsync(200);
  expect([last, waiting.records]).toEqual([['a'], 0]);
});

test('without room the one that has waited longest is settled first', async () => {
  const { waiting, wait, last } = setup();
  for (const name of ['a', 'b', 'c', 'd', 'e']) await wait(name);
  expect([last, waiting.records]).toEqual([['a'], 4]);
});

test('a tenant beyond its share makes room among its own', async () => {
  const { waiting, wait, last } = setup();
  await wait('neighbour');
  for (const name of ['a', 'b', 'c']) await wait(name, 'acme');
  expect([last, waiting.records]).toEqual([['a'], 3]);
});

test('payload bytes are bounded as well; one is let in however large', async () => {
  const { waiting, wait, last } = setup();
  await wait('a', 'a', 60);
  await wait('b', 'b', 60);
  await wait('c', 'c', 500);
  expect([last, waiting.records, waiting.bytes]).toEqual([['a', 'b'], 1, 500]);
});
