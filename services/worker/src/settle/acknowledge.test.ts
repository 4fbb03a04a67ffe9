import { JournalError } from '@posthorn/journal';
import { createLogger } from '@posthorn/runtime';
import { expect, test } from 'vitest';
import { createAcknowledger } from './acknowledge.ts';

function setup() {
  const events: string[] = [];
  const waits: number[] = [];
  const stopped = new AbortController();
  const acknowledger = createAcknowledger({
    log: createLogger('worker', 'silent'),
    onStalled: () => void events.push('stalled'),
    onFlowing: () => void events.push('flowing'),
    onRetry: () => void events.push('retry'),
    stopped: stopped.signal,
    wait: async (ms) => void waits.push(ms),
  });
  return { acknowledger, events, waits, stopped };
}

/** Fails as often as said, then is acknowledged. */
function failing(times: number, error: unknown = new Error('no broker')) {
  const write = async () => {
    write.calls += 1;
    if (write.calls <= times) throw error;
  };
  write.calls = 0;
  return write;
}

test('a write that is acknowledged at once stalls nothing', async () => {
  const { acknowledger, events } = setup();
  expect(await acknowledger.untilAcknowledged(failing(0))).toBe(true);
  expect(events).toEqual([]);
});

test('a write is asked again until it is acknowledged, with growing bounded waits and nothing new meanwhile', async () => {
  const { acknowledger, events, waits } = setup();
  const write = failing(9);
  expect(await acknowledger.untilAcknowledged(write)).toBe(true);
  expect(write.calls).toBe(10);
  expect(waits).toEqual([50, 100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000]);
  expect(events).toEqual(['stalled', ...Array(9).fill('retry'), 'flowing']);
  expect(acknowledger.stalled).toBe(0);
});

test('the worker flows again when the last of several stalled writes is acknowledged', async () => {
  const { acknowledger, events } = setup();
  const gate = Promise.withResolvers<void>();
  let calls = 0;
  const slow = acknowledger.untilAcknowledged(async () => {
    calls += 1;
    if (calls === 1) throw new Error('no broker');
    await gate.promise;
  });
  await acknowledger.untilAcknowledged(failing(1));
  expect(events.filter((event) => event !== 'retry')).toEqual(['stalled']);
  gate.resolve();
  await slow;
  expect(events.filter((event) => event !== 'retry')).toEqual(['stalled', 'flowing']);
});

test('a write that is not wanted any more is given up', async () => {
  const { acknowledger, events } = setup();
  const write = failing(100);
  expect(await acknowledger.untilAcknowledged(write, () => write.calls < 3)).toBe(false);
  expect(write.calls).toBe(3);
  expect(events.at(-1)).toBe('flowing');
});

test('when the service has stopped nothing is asked again', async () => {
  const { acknowledger, stopped } = setup();
  stopped.abort();
  const write = failing(100);
  expect(await acknowledger.untilAcknowledged(write)).toBe(false);
  expect(write.calls).toBe(1);
});

test('a journal that has stopped is not asked again', async () => {
  const { acknowledger } = setup();
  const write = failing(100, new JournalError('stopped', 'stopped'));
  expect(await acknowledger.untilAcknowledged(write)).toBe(false);
  expect(write.calls).toBe(1);
});

test('a full journal is asked again', async () => {
  const { acknowledger } = setup();
  expect(await acknowledger.untilAcknowledged(failing(2, new JournalError('full', 'no room')))).toBe(true);
});

test('an entry that fits no batch does not hold its lane for ever', async () => {
  const { acknowledger } = setup();
  const write = failing(100, new JournalError('too_large', 'too large'));
  expect(await acknowledger.untilAcknowledged(write)).toBe(true);
  expect(write.calls).toBe(1);
});
