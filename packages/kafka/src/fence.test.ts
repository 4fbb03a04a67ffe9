import { expect, test } from 'vitest';
import { FENCE_MARGIN_MS, isWithinFence } from './fence.ts';

test('is open while a heartbeat sent within the session time-out less the margin was answered', () => {
  expect(isWithinFence(1_000, 1_000 + 10_000 - FENCE_MARGIN_MS - 1, 10_000)).toBe(true);
  expect(isWithinFence(1_000, 1_000 + 10_000 - FENCE_MARGIN_MS, 10_000)).toBe(false);
});

test('is closed before the first heartbeat', () => {
  expect(isWithinFence(null, 0, 10_000)).toBe(false);
});
