import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Headers, RecordFormatError } from './header-fields.ts';
import { mintEndpointId } from './ids.ts';
import {
  asksForReplay,
  crowdedOf,
  decodeOrigin,
  decodeReplay,
  decodeSettled,
  effortOf,
  encodeCrowded,
  encodeEffort,
  encodeMover,
  encodeOrigin,
  encodePlaced,
  encodeReplay,
  encodeSettled,
  moverOf,
  placedOf,
  withoutOrigin,
} from './side-records.ts';
import { MAX_SLOTS } from './topics.ts';

const offset = fc.nat(2 ** 31 - 1);
const slot = fc.nat(MAX_SLOTS - 1);
const topic = fc.constantFrom('deliveries' as const, 'overflow' as const);

test('where an overflow record came from is read as it was written', () => {
  fc.assert(
    fc.property(
      topic,
      offset,
      fc.uniqueArray(slot, { minLength: 1, maxLength: MAX_SLOTS }),
      (of, from, slots) => {
        const origin = { topic: of, offset: from, slots };
        expect(decodeOrigin(encodeOrigin(origin))).toEqual(origin);
      },
    ),
  );
});

test.each<[string, Headers]>([
  ['without slots', { ph_origin: 'deliveries:7' }],
  ['with a slot beyond a record', { ph_origin: 'deliveries:7', ph_origin_slots: '64' }],
  ['with a slot that is no number', { ph_origin: 'deliveries:7', ph_origin_slots: '1,x' }],
  ['without an offset', { ph_origin_slots: '1' }],
  ['in no topic of a lane', { ph_origin: 'events:7', ph_origin_slots: '1' }],
])('an origin %s is refused', (_what, headers) => {
  expect(() => decodeOrigin(headers)).toThrow(RecordFormatError);
});

test('a settled slot is read as it was written', () => {
  fc.assert(
    fc.property(topic, offset, slot, (lane, at, of) => {
      const settled = { topic: lane, offset: at, slot: of };
      expect(decodeSettled(encodeSettled(settled))).toEqual(settled);
    }),
  );
});

test('a record without the header is no control record, one with nonsense in it is refused', () => {
  expect(decodeSettled({})).toBeNull();
  for (const text of ['', '7:1', 'deliveries:7', 'overflow:7:x', 'events:7:1', 'deliveries:-1:2']) {
    expect(() => decodeSettled({ ph_settled: text })).toThrow(RecordFormatError);
  }
});

test('what a round has spent is left out while it is nothing, and counts from nothing when it cannot be read', () => {
  expect(encodeEffort({ spentMs: 0, circuitMs: 0 })).toEqual({});
  expect(effortOf(encodeEffort({ spentMs: 1_200.6, circuitMs: 64_000 }))).toEqual({
    spentMs: 1_201,
    circuitMs: 64_000,
  });
  expect(effortOf({ ph_spent_ms: 'soon', ph_circuit_ms: '-1' })).toEqual({ spentMs: 0, circuitMs: 0 });
});

test('a replay says where its delivery must stand and whether it was ever sent', () => {
  const slots = [mintEndpointId(1)];
  const expected = encodeReplay({ slots, replayId: 'r1', expect: { run: 2, round: 3 } });
  expect(decodeReplay(expected)).toEqual({ replayId: 'r1', expect: { run: 2, round: 3 }, missing: false });
  expect(decodeReplay(encodeReplay({ slots, replayId: 'r2', missing: true }))).toEqual({
    replayId: 'r2',
    expect: null,
    missing: true,
  });
});

test('a dead letter copied by hand is a replay that expects nothing', () => {
  expect(decodeReplay({ ph_run: '0', ph_round: '1' })).toEqual({
    replayId: null,
    expect: null,
    missing: false,
  });
  expect(() => decodeReplay({ ph_expect: 'first' })).toThrow(RecordFormatError);
});

test('only the text true asks for a replay, also with a line end that a tool has added', () => {
  expect(
    [undefined, 'false', '', 'TRUE', 'true', 'true\n'].map((text) =>
      asksForReplay(text === undefined ? {} : { ph_replay: text }),
    ),
  ).toEqual([false, false, false, false, true, true]);
});

test('a copy names who moved it, and keeps neither him nor its origin once it leaves the lane', () => {
  const copy = {
    ce_id: 'x',
    ...encodeOrigin({ topic: 'deliveries', offset: 7, slots: [0, 2] }),
    ...encodeMover('assignment-1'),
  };
  expect([moverOf(copy), moverOf({})]).toEqual(['assignment-1', undefined]);
  expect(withoutOrigin(copy)).toEqual({ ce_id: 'x' });
});

test('the revision that placed a record is read as it was written, and is 0 where nobody moved it', () => {
  fc.assert(
    fc.property(fc.nat(), (revision) => {
      expect(placedOf(encodePlaced(revision))).toBe(revision);
    }),
  );
  const unread: Headers[] = [{}, { ph_placed: '' }, { ph_placed: 'x' }, { ph_placed: '-1' }];
  expect(unread.map(placedOf)).toEqual([0, 0, 0, 0]);
});

test('turns taken for want of room are counted up to 99, and from nothing when they cannot be read', () => {
  expect([1, 99, 100].map((turns) => crowdedOf(encodeCrowded(turns)))).toEqual([1, 99, 99]);
  const unread: Headers[] = [{}, { ph_crowded: '' }, { ph_crowded: '100' }, { ph_crowded: '-1' }];
  expect(unread.map(crowdedOf)).toEqual([0, 0, 0, 0]);
});
