import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createBackOff } from './back-off.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('each wait is twice as long as the one before, up to five seconds', async () => {
  const backOff = createBackOff(200);
  for (const ms of [200, 400, 800, 1_600, 3_200, 5_000, 5_000]) {
    expect(backOff.nextMs).toBe(ms);
    let over = false;
    const waited = backOff.wait().then(() => {
      over = true;
    });
    await vi.advanceTimersByTimeAsync(ms - 1);
    expect(over).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await waited;
  }
});
