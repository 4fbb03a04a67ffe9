import { expect, test } from 'vitest';
import { createLoadShedder } from './shed-load.ts';

test('one tenant holds half of the requests at most, and others find room', () => {
  const shedder = createLoadShedder({ maxRequests: 10, maxBytes: 1_000 });
  const held = Array.from({ length: 10 }, () => shedder.enterFor('busy', 1)).filter(Boolean);
  expect(held).toHaveLength(5);
  expect(shedder.enterFor('quiet', 1)).toBe(true);
  shedder.leaveFor('busy', 1);
  expect(shedder.enterFor('busy', 1)).toBe(true);
});

test('one tenant holds half of the bytes at most, but its only request may be as large as any', () => {
  const shedder = createLoadShedder({ maxRequests: 10, maxBytes: 1_000 });
  expect(shedder.enterFor('busy', 900)).toBe(true);
  expect(shedder.enterFor('busy', 1)).toBe(false);
  shedder.leaveFor('busy', 900);
  expect([shedder.enterFor('busy', 400), shedder.enterFor('busy', 100), shedder.enterFor('busy', 1)]).toEqual(
    [true, true, false],
  );
});
