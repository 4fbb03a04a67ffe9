import { expect, test } from 'vitest';
import { HELD_MARGIN_MS, heldSlots, holdFrom } from './held-slots.ts';

const none = () => false;

test('a slot is held from our own join on, for what its owner had left and a margin', () => {
  const until = holdFrom(5_000, [{ slot: 1, leftMs: 300 }], 3);
  expect([...until]).toEqual([0, 5_300 + HELD_MARGIN_MS, 0]);
});

test('what remains is passed on without our margin, which the next owner adds himself', () => {
  const until = holdFrom(0, [{ slot: 0, leftMs: 300 }], 1);
  expect(heldSlots(1, none, 100, until, null)).toEqual([{ slot: 0, leftMs: 200 }]);
});

test('within the margin a slot is passed on as held with nothing left', () => {
  const until = holdFrom(0, [{ slot: 0, leftMs: 300 }], 1);
  expect(heldSlots(1, none, 300 + HELD_MARGIN_MS - 1, until, null)).toEqual([{ slot: 0, leftMs: 0 }]);
  expect(heldSlots(1, none, 300 + HELD_MARGIN_MS, until, null)).toEqual([]);
});

test('what is finished is not held, and of two owners the later one counts', () => {
  const inherited = holdFrom(
    0,
    [0, 1, 2].map((slot) => ({ slot, leftMs: 500 })),
    3,
  );
  const own = Float64Array.of(0, 900, 100);
  expect(heldSlots(3, (slot) => slot === 0, 100, inherited, own)).toEqual([
    { slot: 1, leftMs: 800 },
    { slot: 2, leftMs: 400 },
  ]);
});
