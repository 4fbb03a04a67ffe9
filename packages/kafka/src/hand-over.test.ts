import { expect, test } from 'vitest';
import { HandOver } from './hand-over.ts';
import { openEntry } from './window-entry.ts';

const none = () => false;
const slotUnderWay = { offset: 7, slot: 1, leftMs: 500 };

function setup({ end = 100, acknowledged = true } = {}) {
  const handOver = HandOver.of([slotUnderWay], 1_000, () => 2)!;
  handOver.said(end);
  if (acknowledged) handOver.acknowledge();
  return handOver;
}

test('with nothing under way there is nothing to hand over', () => {
  expect(HandOver.of([], 0, () => 1)).toBeNull();
  // Its record was finished while its slot was still counted.
  expect(HandOver.of([slotUnderWay], 0, () => 0)).toBeNull();
});

test('a slot that was named may still be settled until its time is over, and no other', () => {
  const handOver = setup();
  expect(handOver.mayStillSettle(7, 1, 1_499)).toBe(true);
  expect(handOver.mayStillSettle(7, 1, 1_500)).toBe(false);
  expect(handOver.mayStillSettle(7, 0, 1_000)).toBe(false);
  expect(handOver.mayStillSettle(8, 1, 1_000)).toBe(false);
});

test('nothing may be settled when the commit was not acknowledged, or had no room for it', () => {
  expect(setup({ acknowledged: false }).mayStillSettle(7, 1, 1_000)).toBe(false);
  expect(setup({ end: 7 }).mayStillSettle(7, 1, 1_000)).toBe(false);
});

test('a commit that was on its way before they were named acknowledges nothing', () => {
  const handOver = HandOver.of([slotUnderWay], 1_000, () => 2)!;
  handOver.acknowledge();
  handOver.said(100);
  expect(handOver.mayStillSettle(7, 1, 1_000)).toBe(false);
});

test('what was settled after the last commit is remembered, once, and only what was named', () => {
  const entry = openEntry(7, 2, null, null);
  const handOver = setup();
  handOver.settle(entry, 0, none);
  expect(handOver.settledSince).toEqual([]);
  handOver.settle(entry, undefined, none);
  handOver.settle(entry, 1, (slot) => slot === 1);
  expect(handOver.settledSince).toEqual([{ offset: 7, slot: 1 }]);
});

test('what the last commit says itself need not be announced', () => {
  const entry = openEntry(7, 2, null, null);
  const handOver = setup();
  handOver.settle(entry, 1, none);
  handOver.said(100);
  expect(handOver.settledSince).toEqual([]);
});
