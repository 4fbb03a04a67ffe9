import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeMap, type Hole, MapEncoder } from './window-encoding.ts';

/** Holes with at least one finished record between them, as a window makes them. */
const holes = fc
  .array(
    fc.record({
      gap: fc.integer({ min: 1, max: 2 ** 30 }),
      length: fc.integer({ min: 1, max: 2 ** 30 }),
      bits: fc.option(fc.uint8Array({ minLength: 1, maxLength: 8 }), { nil: null }),
    }),
    { maxLength: 60 },
  )
  .map((parts) => {
    let end = 0;
    return parts.map(({ gap, length, bits }): Hole => {
      const start = end + gap;
      const slots = (bits?.length ?? 0) * 8;
      const hole = { start, length: bits === null ? length : 1, bits, slots, held: null };
      end = start + hole.length;
      return hole;
    });
  });

function encode(
  offset: number,
  list: readonly Hole[],
  trailing: number,
  maxChars?: number,
): [string, number] {
  const encoder = new MapEncoder(offset, maxChars);
  let end = offset;
  for (const { start, length, bits } of list) {
    if (bits === null) encoder.untouched(offset + start, length);
    else encoder.partlyDone(offset + start, bits, bits.length * 8);
    end = offset + start + length;
  }
  return [encoder.finish(end + trailing), end + trailing];
}

test('what was encoded is decoded', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 40), holes, fc.nat(2 ** 30), (offset, list, trailing) => {
      const [text, end] = encode(offset, list, trailing);
      const moved = list.map((hole) => ({ ...hole, start: hole.start + offset }));
      expect(decodeMap(offset, text)).toEqual({ kind: 'map', map: { end, holes: moved, allHeldMs: null } });
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
