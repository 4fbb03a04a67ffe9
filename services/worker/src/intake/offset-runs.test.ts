import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OffsetRuns } from './offset-runs.ts';

const step = fc.oneof(
  fc.record({ do: fc.constant('add' as const), offset: fc.nat(60) }),
  fc.record({ do: fc.constant('drop' as const), offset: fc.nat(60), length: fc.nat(12) }),
);

test('runs hold just the offsets that a set would, whatever was added and dropped', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const runs = new OffsetRuns();
      const set = new Set<number>();
      for (const each of steps) {
        if (each.do === 'add') {
          runs.add(each.offset);
          set.add(each.offset);
        } else {
          runs.drop(each.offset, each.offset + each.length);
          for (let i = 0; i < each.length; i++) set.delete(each.offset + i);
        }
      }
      const firstFrom = (from: number) =>
        [...set].filter((offset) => offset >= from).sort((a, b) => a - b)[0];
      for (let from = 0; from <= 61; from++) expect(runs.firstFrom(from)).toBe(firstFrom(from) ?? null);
      const starts = [...set].filter((offset) => !set.has(offset - 1));
      expect(runs.size).toBe(starts.length);
      expect(runs.span).toBe(set.size);
    }),
  );
});

test('a run is whole after nothing was dropped in its middle', () => {
  const runs = new OffsetRuns();
  for (const offset of [1, 2]) runs.add(offset);
  runs.drop(2, 2);
  expect([runs.size, runs.span]).toEqual([1, 2]);
});

test('a million in a row are one run', () => {
  const runs = new OffsetRuns();
  for (let offset = 0; offset < 1_000_000; offset++) runs.add(offset);
  expect([runs.size, runs.first, runs.firstFrom(500_000)]).toEqual([1, 0, 500_000]);
});

test('merged runs are half as many and span all that they did', () => {
  const runs = new OffsetRuns();
  for (const offset of [1, 3, 5, 7, 9]) runs.add(offset);
  runs.merge();
  expect(runs.size).toBe(3);
  expect([1, 2, 3, 5, 6, 7, 9].every((offset) => runs.firstFrom(offset) === offset)).toBe(true);
  expect([runs.firstFrom(4), runs.firstFrom(8), runs.firstFrom(10)]).toEqual([5, 9, null]);
});
