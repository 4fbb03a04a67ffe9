import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OffsetWindow } from './offset-window.ts';
import { decodeMap, type OffsetMap } from './window-encoding.ts';
import { isSlotDone, type WindowEntry } from './window-entry.ts';

function mapOf(snapshot: { offset: number; map: string }): OffsetMap {
  const decoded = decodeMap(snapshot.offset, snapshot.map);
  if (decoded.kind !== 'map') throw new Error(decoded.kind);
  return decoded.map;
}

function fill(window: OffsetWindow, offsets: number[], slots = 1): WindowEntry[] {
  return offsets.map((offset) => window.add(offset, slots)!);
}

test('the committed offset is the lowest record with an unfinished slot', () => {
  const window = new OffsetWindow(10);
  const [a, b, c] = fill(window, [10, 11, 12], 2);
  window.complete(c!);
  window.complete(a!, 0);
  expect(window.snapshot().offset).toBe(10);
  window.complete(a!, 1);
  expect(window.snapshot().offset).toBe(11);
  window.complete(b!);
  expect(window.snapshot().offset).toBe(13);
});

test('completing twice changes nothing', () => {
  const window = new OffsetWindow(0);
  const [entry] = fill(window, [0], 2);
  expect([window.complete(entry!, 1), window.complete(entry!, 1)]).toEqual([true, false]);
  expect(entry!.remaining).toBe(1);
  expect([window.complete(entry!), window.complete(entry!), window.complete(entry!, 0)]).toEqual([
    true,
    false,
    false,
  ]);
});

test('a slot that the record does not have is a mistake of the caller', () => {
  const window = new OffsetWindow(0);
  const [entry] = fill(window, [0], 2);
  expect(() => window.complete(entry!, 2)).toThrow(RangeError);
  expect(() => window.complete(entry!, -1)).toThrow(RangeError);
});

test('an offset below the position is refused', () => {
  const window = new OffsetWindow(5);
  expect(() => window.add(4, 1)).toThrow(RangeError);
});

test('offsets that never come count as finished', () => {
  const window = new OffsetWindow(0);
  const [first] = fill(window, [3, 9]);
  expect(window.snapshot().offset).toBe(3);
  window.complete(first!);
  expect(window.snapshot().offset).toBe(9);
});

test('a refused record is unfinished until it comes again', () => {
  const window = new OffsetWindow(0);
  const [first, second] = fill(window, [0, 1]);
  expect(() => window.withdraw(first!)).toThrow(RangeError);
  window.withdraw(second!);
  window.complete(first!);
  expect(window.snapshot().offset).toBe(1);
  expect(window.position).toBe(1);
  expect(window.add(1, 1)).toMatchObject({ offset: 1, remaining: 1 });
});

test('a refused record that an earlier owner left unfinished stays so', () => {
  const earlier = new OffsetWindow(0);
  const entries = fill(earlier, [0, 1, 2, 3]);
  earlier.complete(entries[1]!);
  earlier.complete(entries[3]!);
  const window = new OffsetWindow(0, mapOf(earlier.snapshot()));
  const first = window.add(0, 1)!;
  expect(window.add(1, 1)).toBeNull();
  const refused = window.add(2, 1)!;
  window.withdraw(refused);
  window.complete(first);
  expect(window.snapshot().offset).toBe(2);
  expect(window.add(2, 1)).not.toBeNull();
  expect(window.add(3, 1)).toBeNull();
});

test('what an earlier owner finished further up is passed on before it was read again', () => {
  const earlier = new OffsetWindow(0);
  const entries = fill(earlier, [0, 1, 2, 3, 4, 5], 2);
  for (const done of [1, 4]) earlier.complete(entries[done]!);
  earlier.complete(entries[3]!, 0);
  const window = new OffsetWindow(0, mapOf(earlier.snapshot()));
  window.complete(window.add(0, 2)!);
  const next = new OffsetWindow(window.snapshot().offset, mapOf(window.snapshot()));
  expect(next.nextUnfinished).toBe(2);
  expect(next.add(2, 2)).toMatchObject({ remaining: 2 });
  const partly = next.add(3, 2)!;
  expect([isSlotDone(partly, 0), isSlotDone(partly, 1)]).toEqual([true, false]);
  expect(next.add(4, 2)).toBeNull();
  expect(next.add(5, 2)).toMatchObject({ remaining: 2 });
  expect(next.add(6, 2)).toMatchObject({ remaining: 2 });
});

test('a record whose slots an earlier owner finished one by one is finished', () => {
  const hole = { start: 0, length: 1, bits: Uint8Array.of(0b11), slots: 2, held: null };
  const window = new OffsetWindow(0, { end: 1, holes: [hole], allHeld: null });
  expect(window.add(0, 2)).toBeNull();
});

test('a map that does not fit forgets the highest, never the lowest', () => {
  const window = new OffsetWindow(0);
  const entries = fill(
    window,
    Array.from({ length: 8_000 }, (_, i) => i),
  );
  for (const entry of entries) if (entry.offset % 2 === 1) window.complete(entry);
  const snapshot = window.snapshot();
  expect(snapshot).toMatchObject({ offset: 0, truncated: true });
  expect(snapshot.map.length).toBeLessThanOrEqual(4_096);
  const { end, holes } = mapOf(snapshot);
  expect(end).toBeGreaterThan(2_500);
  expect(holes.every(({ start, length }) => start % 2 === 0 && length === 1)).toBe(true);
});

test('1,500 scattered holes over millions of records fit', () => {
  const window = new OffsetWindow(0);
  for (let i = 0; i < 1_500; i++) window.add(i * 4_000, 64);
  window.moveTo(1_500 * 4_000);
  expect(window.snapshot()).toMatchObject({ offset: 0, truncated: false });
});

/** One life of an owner: how many records it reads, which slots it finishes, in which order. */
const life = fc.record({
  reads: fc.nat(40),
  finishes: fc.array(fc.nat(1_000), { maxLength: 120 }),
  refuses: fc.array(fc.nat(40), { maxLength: 4 }),
});

test('over any owners, orders of completion and crashes no slot is lost, and none is done twice', () => {
  const slotsOf = (offset: number) => 1 + ((offset * 7) % 5);
  fc.assert(
    fc.property(
      fc.array(life, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 256, max: 4_096 }),
      (lives, chars) => {
        const doneTimes = new Map<string, number>();
        let committed = { offset: 100, map: new OffsetWindow(100).snapshot().map, truncated: false };
        let truncated = false;
        for (const { reads, finishes, refuses } of lives) {
          const window = new OffsetWindow(committed.offset, mapOf(committed));
          const open: Array<[WindowEntry, number]> = [];
          for (let i = 0; i < reads; i++) {
            const offset = window.position;
            if (offset % 11 === 0) {
              window.moveTo(offset + 1);
              continue;
            }
            let entry = window.add(offset, slotsOf(offset));
            if (entry !== null && refuses.includes(i)) {
              window.withdraw(entry);
              window.snapshot(chars);
              entry = window.add(offset, slotsOf(offset));
              expect(entry).not.toBeNull();
            }
            for (let slot = 0; entry !== null && slot < entry.slots; slot++) {
              if (!isSlotDone(entry, slot)) open.push([entry, slot]);
            }
          }
          for (const pick of finishes) {
            const [chosen] = open.splice(pick % Math.max(1, open.length), 1);
            if (chosen === undefined) break;
            const [entry, slot] = chosen;
            window.complete(entry, slot);
            const key = `${entry.offset}/${slot}`;
            doneTimes.set(key, (doneTimes.get(key) ?? 0) + 1);
          }
          committed = window.snapshot(chars);
          truncated ||= committed.truncated;
          for (const [entry] of open) expect(committed.offset).toBeLessThanOrEqual(entry.offset);
        }
        // The last owner finishes all there is.
        const last = new OffsetWindow(committed.offset, mapOf(committed));
        for (let offset = committed.offset; offset < 400; offset++) {
          if (offset % 11 === 0) continue;
          const entry = last.add(offset, slotsOf(offset));
          for (let slot = 0; entry !== null && slot < entry.slots; slot++) {
            if (isSlotDone(entry, slot)) continue;
            const key = `${offset}/${slot}`;
            doneTimes.set(key, (doneTimes.get(key) ?? 0) + 1);
          }
        }
        for (let offset = 100; offset < 400; offset++) {
          for (let slot = 0; offset % 11 !== 0 && slot < slotsOf(offset); slot++) {
            const times = doneTimes.get(`${offset}/${slot}`) ?? 0;
            expect(times).toBeGreaterThanOrEqual(1);
            if (!truncated) expect(times).toBe(1);
          }
        }
      },
    ),
  );
});
