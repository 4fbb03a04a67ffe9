import { expect, test } from 'vitest';
import { heldEndOf, wasFinished } from './load-committed.ts';
import type { Hole } from './window-encoding.ts';

const hole = (start: number, length = 1): Hole => ({ start, length, bits: null, slots: 0, held: null });

test('what the last owner finished is what stands below his map or in it, outside of its holes', () => {
  const map = { end: 20, holes: [hole(10, 2), hole(14), hole(17, 2)], allHeld: null };
  const finished = Array.from({ length: 24 }, (_, offset) => offset).filter((offset) =>
    wasFinished(10, map, offset),
  );
  expect(finished).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 15, 16, 19]);
});

test('without a map nothing from the committed offset on is known to be finished', () => {
  expect([9, 10, 11].map((offset) => wasFinished(10, null, offset))).toEqual([true, false, false]);
});

test('held slots end behind the last record that is named, or where any may be', () => {
  const hole = { start: 3, length: 1, bits: null, slots: 1, held: [{ slot: 0, leftMs: 5 }] };
  const plain = { start: 7, length: 2, bits: null, slots: 0, held: null };
  const map = { end: 9, holes: [hole, plain], allHeld: null };
  expect(
    [map, { ...map, allHeld: { leftMs: 5, end: 6 } }, { ...map, holes: [plain] }, null].map(heldEndOf),
  ).toEqual([4, 6, 0, 0]);
});
