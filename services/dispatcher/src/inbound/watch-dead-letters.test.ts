import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createDeadLetterWatch } from './watch-dead-letters.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('counts are those of the last look that was answered, until it is stopped', async () => {
  let counts: ReadonlyMap<string, number> | null = new Map([['acme', 80]]);
  let looks = 0;
  const watch = createDeadLetterWatch({
    async read() {
      looks += 1;
      if (counts === null) throw new Error('away');
      return counts;
    },
    log: { debug: () => undefined },
    intervalMs: 100,
  });
  expect(watch.count('acme')).toBe(0);
  await watch.start();
  expect([watch.count('acme'), watch.count('other')]).toEqual([80, 0]);
  counts = null;
  await vi.advanceTimersByTimeAsync(100);
  expect([watch.count('acme'), looks]).toEqual([80, 2]);
  counts = new Map();
  await vi.advanceTimersByTimeAsync(100);
  expect(watch.count('acme')).toBe(0);
  watch.stop();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(looks).toBe(3);
});
