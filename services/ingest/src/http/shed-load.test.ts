import { expect, test } from 'vitest';
import { createLoadShedder, MAX_MANAGING_REQUESTS } from './shed-load.ts';

const event = (bytes: number) => ({ bytes, isManaging: false });

test('one tenant holds half of the requests at most, and others find room', () => {
  const shedder = createLoadShedder({ maxRequests: 10, maxBytes: 1_000 });
  const held = Array.from({ length: 10 }, () => shedder.enterFor('busy', event(1))).filter(Boolean);
  expect(held).toHaveLength(5);
  expect(shedder.enterFor('quiet', event(1))).toBe(true);
  shedder.leaveFor('busy', event(1));
  expect(shedder.enterFor('busy', event(1))).toBe(true);
});

test('one tenant holds half of the bytes at most, but its only request may be as large as any', () => {
  const shedder = createLoadShedder({ maxRequests: 10, maxBytes: 1_000 });
  expect(shedder.enterFor('busy', event(900))).toBe(true);
  expect(shedder.enterFor('busy', event(1))).toBe(false);
  shedder.leaveFor('busy', event(900));
  const entered = [400, 100, 1].map((bytes) => shedder.enterFor('busy', event(bytes)));
  expect(entered).toEqual([true, true, false]);
});

test('one tenant has few requests under way that ask Postgres, beside its events', () => {
  const shedder = createLoadShedder({ maxRequests: 1_000, maxBytes: 1_000 });
  const ask = { bytes: 0, isManaging: true };
  const asked = Array.from({ length: 100 }, () => shedder.enterFor('busy', ask)).filter(Boolean);
  expect(asked).toHaveLength(MAX_MANAGING_REQUESTS);
  expect([shedder.enterFor('busy', event(0)), shedder.enterFor('quiet', ask)]).toEqual([true, true]);
  shedder.leaveFor('busy', ask);
  expect(shedder.enterFor('busy', ask)).toBe(true);
});
