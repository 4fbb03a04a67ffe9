import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Wakes } from './wakes.ts';

test('what is due runs, earliest first, and the rest waits', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(100)), fc.nat(100), (times, nowMs) => {
      const wakes = new Wakes();
      const ran: number[] = [];
      for (const atMs of times) wakes.at(atMs, () => void ran.push(atMs));
      wakes.run(nowMs);
      const inOrder = times.toSorted((a, b) => a - b);
      expect(ran).toEqual(inOrder.filter((atMs) => atMs <= nowMs));
      expect(wakes.nextMs).toBe(inOrder.find((atMs) => atMs > nowMs) ?? null);
    }),
  );
});

test('what was cancelled neither runs nor is waited for', () => {
  const wakes = new Wakes();
  const ran: string[] = [];
  const first = wakes.at(10, () => void ran.push('first'));
  wakes.at(20, () => void ran.push('second'));
  first.cancelled = true;
  expect(wakes.nextMs).toBe(20);
  wakes.run(100);
  expect(ran).toEqual(['second']);
  expect(wakes.nextMs).toBeNull();
});

test('what runs may arrange the next', () => {
  const wakes = new Wakes();
  wakes.at(10, (nowMs) => void wakes.at(nowMs + 5, () => {}));
  wakes.run(10);
  expect(wakes.nextMs).toBe(15);
});
