import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createWaitingHeap } from './waiting-heap.ts';

const UNBOUNDED = { maxRecords: 1e6, maxBytes: 1e9 };

test('what is due comes out in the order of its time, and nothing before', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1_000)), fc.nat(1_000), (times, nowMs) => {
      const heap = createWaitingHeap<number>(UNBOUNDED);
      for (const at of times) heap.add(at, at, 1);
      const out: number[] = [];
      for (let due = heap.takeDue(nowMs); due !== undefined; due = heap.takeDue(nowMs)) out.push(due);
      expect(out).toEqual(times.filter((at) => at <= nowMs).sort((a, b) => a - b));
      const next = times.filter((at) => at > nowMs).sort((a, b) => a - b)[0];
      expect(heap.nextAtMs).toBe(next);
    }),
  );
});

test('dropping forgets exactly what is named and keeps the order of the rest', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1_000)), fc.integer({ min: 1, max: 5 }), (times, divisor) => {
      const heap = createWaitingHeap<number>(UNBOUNDED);
      for (const at of times) heap.add(at, at, 10);
      heap.drop((at) => at % divisor === 0);
      const kept = times.filter((at) => at % divisor !== 0).sort((a, b) => a - b);
      expect(heap).toMatchObject({ records: kept.length, bytes: kept.length * 10 });
      expect(kept.map(() => heap.takeDue(1_000))).toEqual(kept);
    }),
  );
});

test('items beyond the count find no room, until one that was taken is freed', () => {
  const heap = createWaitingHeap<string>({ maxRecords: 2, maxBytes: 100 });
  expect([heap.add('a', 1, 1), heap.add('b', 2, 1), heap.add('c', 3, 1)]).toEqual([true, true, false]);
  expect(heap.takeDue(1)).toBe('a');
  expect(heap.add('c', 3, 1)).toBe(false);
  heap.free(1);
  expect(heap.add('c', 3, 1)).toBe(true);
});

test('items beyond the bytes find no room, but one is let in however large', () => {
  const heap = createWaitingHeap<string>({ maxRecords: 9, maxBytes: 100 });
  expect([heap.add('a', 1, 500), heap.add('b', 2, 1)]).toEqual([true, false]);
});
