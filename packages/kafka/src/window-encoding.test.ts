import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type HeldSlot, MAX_HELD_MS } from './held-slots.ts';
import { decodeMap, type Hole, MapEncoder } from './window-encoding.ts';

interface Part {
  gap: number;
  length: number;
  slots: number;
  done: readonly number[];
  held: readonly HeldSlot[];
}

/** Holes with at least one finished record between them, as a window makes them. */
const holes = fc
  .array(
    fc.record({
      gap: fc.integer({ min: 1, max: 2 ** 30 }),
      length: fc.integer({ min: 1, max: 2 ** 30 }),
      slots: fc.integer({ min: 1, max: 64 }),
      done: fc.oneof(fc.constant([]), fc.array(fc.nat(63), { maxLength: 6 })),
      held: fc.oneof(fc.constant([]), heldSlots()),
    }),
    { maxLength: 60 },
  )
  .map((parts) => {
    let end = 0;
    return parts.map((part): Hole => {
      const hole = holeOf(end + part.gap, part);
      end = hole.start + hole.length;
      return hole;
    });
  });

function heldSlots() {
  const leftMs = fc.integer({ min: 0, max: MAX_HELD_MS / 16 }).map((ticks) => ticks * 16);
  return fc
    .uniqueArray(fc.record({ slot: fc.nat(63), leftMs }), { selector: ({ slot }) => slot, maxLength: 6 })
    .map((held) => held.sort((a, b) => a.slot - b.slot));
}

function holeOf(start: number, { length, slots, done, held }: Part): Hole {
  const open = held.filter(({ slot }) => slot < slots && !done.includes(slot));
  const partly = done.some((slot) => slot < slots);
  if (open.length === 0 && !partly) return { start, length, bits: null, slots: 0, held: null };
  const bits = new Uint8Array(Math.ceil(slots / 8));
  for (const slot of done) if (slot < slots) bits[slot >> 3]! |= 1 << (slot & 7);
  return { start, length: 1, bits, slots, held: open.length === 0 ? null : open };
}

function encode(
  offset: number,
  list: readonly Hole[],
  trailing: number,
  maxChars?: number,
): [string, number] {
  const encoder = new MapEncoder(offset, maxChars);
  let end = offset;
  for (const { start, length, bits, slots, held } of list) {
    if (bits === null) encoder.untouched(offset + start, length);
    else if (held !== null) encoder.held(offset + start, bits, slots, held);
    else encoder.partlyDone(offset + start, bits, slots);
    end = offset + start + length;
  }
  return [encoder.finish(end + trailing), end + trailing];
}

test('what was encoded is decoded', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 40), holes, fc.nat(2 ** 30), (offset, list, trailing) => {
      const [text, end] = encode(offset, list, trailing);
      const moved = list.map((hole) => ({ ...hole, start: hole.start + offset }));
      expect(decodeMap(offset, text)).toEqual({ kind: 'map', map: { end, holes: moved, allHeld: null } });
    }),
  );
});

test('neighbours become one run', () => {
  const encoder = new MapEncoder(0);
  for (let offset = 0; offset < 10_000; offset++) encoder.untouched(offset);
  const text = encoder.finish(10_000);
  expect(text.length).toBeLessThan(16);
  expect(decodeMap(0, text)).toMatchObject({ map: { holes: [{ start: 0, length: 10_000 }] } });
});

test('never takes more space than it was given, and keeps the lowest holes', () => {
  fc.assert(
    fc.property(holes, fc.integer({ min: 64, max: 400 }), (list, maxChars) => {
      const [text, end] = encode(0, list, 5, maxChars);
      expect(text.length).toBeLessThanOrEqual(maxChars);
      const decoded = decodeMap(0, text);
      if (decoded.kind !== 'map') throw new Error(decoded.kind);
      const kept = decoded.map.holes.length;
      expect(decoded.map.holes).toEqual(list.slice(0, kept));
      const last = list[kept - 1];
      if (kept < list.length) expect(decoded.map.end).toBe(last === undefined ? 0 : last.start + last.length);
      else expect(decoded.map.end).toBe(end);
    }),
  );
});

test('any damage is noticed', () => {
  fc.assert(
    fc.property(holes, fc.nat(), fc.integer({ min: 1, max: 255 }), (list, where, change) => {
      const [text] = encode(7, list, 3);
      const bytes = Buffer.from(text, 'base64');
      const at = where % bytes.length;
      bytes[at]! ^= change;
      const known = at > 0 || bytes[0] === 1 || bytes[0] === 2;
      expect(decodeMap(7, bytes.toString('base64')).kind).toBe(known ? 'damaged' : 'unknown_version');
    }),
  );
});

test('a map is not read against another offset, cut short, or in another alphabet', () => {
  const [text] = encode(7, [{ start: 2, length: 3, bits: null, slots: 0, held: null }], 3);
  expect(decodeMap(8, text).kind).toBe('damaged');
  expect(decodeMap(7, text.slice(0, -4)).kind).toBe('damaged');
  expect(decodeMap(7, `${text}!`).kind).toBe('damaged');
  expect(decodeMap(7, 'not a map').kind).not.toBe('map');
});

test('no metadata is no map', () => {
  expect(decodeMap(7, '').kind).toBe('missing');
  expect(decodeMap(7, null).kind).toBe('missing');
  expect(decodeMap(7, '====').kind).toBe('damaged');
});

const HELD = [{ slot: 0, leftMs: 100 }];

test('the time that is left is rounded up, never down, and cut at the longest', () => {
  const encoder = new MapEncoder(0);
  encoder.held(0, null, 2, [
    { slot: 0, leftMs: 0.1 },
    { slot: 1, leftMs: Number.POSITIVE_INFINITY },
  ]);
  expect(decodeMap(0, encoder.finish(1))).toMatchObject({
    map: {
      holes: [
        {
          held: [
            { slot: 0, leftMs: 16 },
            { slot: 1, leftMs: MAX_HELD_MS },
          ],
        },
      ],
    },
  });
});

test('a map without held slots is of the version that everybody reads', () => {
  const versionOf = (encoder: MapEncoder) => Buffer.from(encoder.finish(9), 'base64')[0];
  const quiet = new MapEncoder(0);
  quiet.partlyDone(3, Uint8Array.of(1), 2);
  const held = new MapEncoder(0);
  held.held(3, null, 2, HELD);
  const allHeld = new MapEncoder(0);
  allHeld.allHeld({ leftMs: 100, end: 5 });
  expect([quiet, held, allHeld].map(versionOf)).toEqual([1, 2, 2]);
});

test('held slots in a map of the version before are damage', () => {
  const encoder = new MapEncoder(0);
  encoder.held(0, null, 1, HELD);
  const bytes = Buffer.from(encoder.finish(1), 'base64');
  bytes[0] = 1;
  const prefix = Buffer.alloc(9);
  prefix[0] = 1;
  bytes.writeUInt32BE(crc32(bytes.subarray(5), crc32(prefix)), 1);
  expect(decodeMap(0, bytes.toString('base64')).kind).toBe('damaged');
});

test('that all may be held takes the place of one hole', () => {
  const encoder = new MapEncoder(5, 64);
  encoder.allHeld({ leftMs: 70_000, end: 9 });
  encoder.untouched(5, 3);
  const text = encoder.finish(10);
  expect(text.length).toBeLessThan(24);
  expect(decodeMap(5, text)).toMatchObject({
    map: { allHeld: { leftMs: 70_000, end: 9 }, end: 10, holes: [{ start: 5, length: 3 }] },
  });
});
