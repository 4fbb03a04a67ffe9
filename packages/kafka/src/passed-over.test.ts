import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PassedOver } from './passed-over.ts';
import { openEntry } from './window-entry.ts';

const untouched = (offset: number) => openEntry(offset, 1, null, null);

test('a million neighbours are one run, from whichever end they come', () => {
  const passed = new PassedOver();
  for (let offset = 0; offset < 1_000_000; offset++) passed.add(untouched(offset));
  for (let offset = 1_999_999; offset >= 1_000_000; offset--) passed.add(untouched(offset));
  expect(passed.spans).toMatchObject([{ start: 0, end: 2_000_000 }]);
  expect(passed.records).toBe(2_000_000);
});

test('a record that an earlier owner had begun keeps what he finished, between its neighbours', () => {
  const passed = new PassedOver();
  passed.add(untouched(1));
  passed.add(untouched(3));
  passed.add(openEntry(2, 3, Uint8Array.of(0b10), null));
  expect(passed.spans).toHaveLength(3);
  expect(passed.take(2)).toMatchObject({ slots: 3, bits: Uint8Array.of(0b10) });
  expect(passed.take(2)).toBeNull();
});

const action = fc.record({
  kind: fc.constantFrom('add', 'take', 'drop'),
  at: fc.nat(60),
  length: fc.nat(20),
});

test('over any sequence it holds just what a set of offsets would', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
      const passed = new PassedOver();
      const model = new Set<number>();
      for (const { kind, at, length } of actions) {
        if (kind === 'add' && !model.has(at)) {
          model.add(at);
          passed.add(untouched(at));
        } else if (kind === 'take') {
          expect(passed.take(at) !== null).toBe(model.delete(at));
        } else if (kind === 'drop') {
          let dropped = 0;
          for (let offset = at; offset < at + length; offset++) if (model.delete(offset)) dropped++;
          expect(passed.drop(at, at + length)).toBe(dropped);
        }
        const held = [...model].sort((a, b) => a - b);
        expect(passed.spans.flatMap(({ start, end }) => range(start, end))).toEqual(held);
        expect(passed.records).toBe(held.length);
        expect(passed.firstFrom(at)).toBe(held.find((offset) => offset >= at) ?? null);
        for (const [i, span] of passed.spans.entries()) {
          expect(span.end).toBeLessThan(passed.spans[i + 1]?.start ?? Number.POSITIVE_INFINITY);
        }
      }
    }),
  );
});

const range = (start: number, end: number) => Array.from({ length: end - start }, (_, i) => start + i);
