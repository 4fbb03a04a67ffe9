import { mintEndpointId, mintEventId } from '@posthorn/contracts';
import { createFakeClock, propertyRuns } from '@posthorn/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NOW } from '../../test/factories.ts';
import { RecordRows } from './record-rows.ts';
import { type Attempted, createRepeats } from './repeats.ts';

const KEPT_MS = 180_000;

function setup(maxRepeats = 5_000) {
  const clock = createFakeClock();
  return { clock, repeats: createRepeats({ clock, maxRepeats, keptMs: KEPT_MS }) };
}

const EVENT = mintEventId(NOW);
const ENDPOINTS = [mintEndpointId(NOW), mintEndpointId(NOW)];

function attempted(over: Partial<Attempted['delivery']> & { eventId?: string; source?: number } = {}) {
  const { eventId = EVENT, source = 0, ...delivery } = over;
  return {
    delivery: { slots: ENDPOINTS, run: 0, round: 0, attempt: 1, lane: 0, ...delivery },
    rows: new RecordRows(eventId, ENDPOINTS, delivery.run ?? 0),
    source,
    record: { live: true },
  };
}

test('a second copy is one while the first is open, and for its time after the outcome was journaled', () => {
  const { clock, repeats } = setup();
  expect(repeats.isRepeat(attempted(), 0)).toBe(false);
  repeats.takeIn(attempted(), 0);
  clock.advance(3_600_000);
  expect(repeats.isRepeat(attempted(), 0)).toBe(true);
  repeats.settled(attempted(), 0);
  clock.advance(KEPT_MS - 100);
  expect(repeats.isRepeat(attempted(), 0)).toBe(true);
  clock.advance(200);
  expect(repeats.isRepeat(attempted(), 0)).toBe(false);
  expect(repeats.stats()).toMatchObject({ remembered: 0, evicted: 0 });
});

test('another endpoint, event or run is another delivery', () => {
  const { repeats } = setup();
  repeats.takeIn(attempted(), 0);
  expect(repeats.isRepeat(attempted(), 1)).toBe(false);
  expect(repeats.isRepeat(attempted({ eventId: mintEventId(NOW) }), 0)).toBe(false);
  expect(repeats.isRepeat(attempted({ run: 1 }), 0)).toBe(false);
});

test('a later attempt is taken in, what is earlier comes too late', () => {
  const { repeats } = setup();
  repeats.takeIn(attempted(), 0);
  repeats.settled(attempted(), 0);
  expect(repeats.isRepeat(attempted({ attempt: 2 }), 0)).toBe(false);
  repeats.takeIn(attempted({ attempt: 2 }), 0);
  expect(repeats.isRepeat(attempted({ attempt: 1 }), 0)).toBe(true);
  expect(repeats.isRepeat(attempted({ attempt: 2 }), 0)).toBe(true);
  expect(repeats.isRepeat(attempted({ round: 1, attempt: 1 }), 0)).toBe(false);
  repeats.takeIn(attempted({ round: 1, attempt: 1 }), 0);
  expect(repeats.isRepeat(attempted({ round: 0, attempt: 9 }), 0)).toBe(true);
});

test('nothing more of a run that succeeded is tried, another run is', () => {
  const { repeats } = setup();
  repeats.takeIn(attempted(), 0);
  repeats.settled(attempted(), 0, true);
  expect(repeats.isRepeat(attempted({ attempt: 2 }), 0)).toBe(true);
  expect(repeats.isRepeat(attempted({ round: 3 }), 0)).toBe(true);
  expect(repeats.isRepeat(attempted({ run: 1 }), 0)).toBe(false);
});

test('what was moved away is taken in again, and a straggler does not make us forget it then', () => {
  const { repeats } = setup();
  repeats.takeIn(attempted(), 0);
  repeats.forget(attempted(), 0);
  expect(repeats.isRepeat(attempted(), 0)).toBe(false);
  repeats.takeIn(attempted({ attempt: 2 }), 0);
  repeats.forget(attempted({ attempt: 1 }), 0);
  expect(repeats.isRepeat(attempted({ attempt: 2 }), 0)).toBe(true);
  repeats.forget({ ...attempted({ attempt: 2 }), record: { live: false } }, 0);
  expect(repeats.isRepeat(attempted({ attempt: 2 }), 0)).toBe(true);
});

test('what a lost partition brought is forgotten, and nothing else', () => {
  const { repeats } = setup();
  repeats.takeIn(attempted({ source: 2 }), 0);
  repeats.takeIn(attempted({ source: 3 }), 1);
  repeats.settled(attempted({ source: 2 }), 0);
  repeats.lose(2);
  expect(repeats.isRepeat(attempted(), 0)).toBe(false);
  expect(repeats.isRepeat(attempted(), 1)).toBe(true);
});

test('of partitions lost together nothing is remembered, and all of the others', () => {
  const { repeats } = setup(5_000);
  const works = Array.from({ length: 5_000 }, (_, i) =>
    attempted({ eventId: mintEventId(NOW), source: i % 50 }),
  );
  for (const each of works) repeats.takeIn(each, 0);
  for (let source = 1; source < 50; source++) repeats.lose(source);
  expect(repeats.stats().remembered).toBe(100);
  expect(works.slice(0, 51).filter((each) => repeats.isRepeat(each, 0))).toEqual([works[0], works[50]]);
});

test('beyond the bound the oldest settled one is forgotten, and what is open stays', () => {
  const { repeats } = setup(3);
  const events = Array.from({ length: 5 }, () => attempted({ eventId: mintEventId(NOW) }));
  for (const each of events.slice(0, 3)) repeats.takeIn(each, 0);
  repeats.settled(events[1]!, 0);
  repeats.settled(events[0]!, 0);
  repeats.takeIn(events[3]!, 0);
  expect(events.map((each) => repeats.isRepeat(each, 0))).toEqual([true, false, true, true, false]);
  repeats.takeIn(events[1]!, 0);
  repeats.takeIn(events[4]!, 0);
  expect(repeats.stats()).toMatchObject({ remembered: 3, evicted: 3 });
  expect(repeats.isRepeat(events[2]!, 0)).toBe(true);
});

test('a hundred thousand deliveries take less than 100 bytes each', () => {
  const { repeats } = setup(200_000);
  const works = Array.from({ length: 100_000 }, () => attempted({ eventId: mintEventId(NOW) }));
  for (const each of works) repeats.takeIn(each, 0);
  expect(repeats.stats().bytes / works.length).toBeLessThan(100);
  expect(works.every((each) => repeats.isRepeat(each, 0))).toBe(true);
});

test('a count that no row holds is tried rather than taken for another', () => {
  const { repeats } = setup();
  repeats.takeIn(attempted(), 0);
  expect(repeats.isRepeat(attempted({ run: 2 ** 32 }), 0)).toBe(false);
});

test('a row that was given to another delivery is neither read nor written by who had it before', () => {
  const { repeats } = setup(1);
  const first = attempted();
  const second = attempted({ eventId: mintEventId(NOW) });
  repeats.takeIn(first, 0);
  repeats.settled(first, 0);
  repeats.takeIn(second, 0);
  expect(repeats.isRepeat(first, 0)).toBe(false);
  repeats.settled(first, 0, true);
  repeats.forget(first, 0);
  expect(repeats.isRepeat(second, 0)).toBe(true);
  expect(repeats.isRepeat({ ...second, delivery: { ...second.delivery, attempt: 2 } }, 0)).toBe(false);
});

test('an endpoint that a record names twice is one delivery', () => {
  const { repeats } = setup();
  const twice = { ...attempted(), rows: new RecordRows(EVENT, [ENDPOINTS[0]!, ENDPOINTS[0]!], 0) };
  repeats.takeIn(twice, 0);
  expect(repeats.isRepeat(twice, 1)).toBe(true);
  repeats.takeIn(twice, 1);
  expect(repeats.stats().remembered).toBe(1);
});

test('nothing is remembered beyond its time where no more copies come', () => {
  const { clock, repeats } = setup();
  repeats.takeIn(attempted(), 0);
  repeats.settled(attempted(), 0);
  clock.advance(KEPT_MS + 100);
  expect(repeats.stats()).toMatchObject({ remembered: 0, evicted: 0 });
});

/** The same in plain words: per delivery what is known, in a map. */
function createModel() {
  const known = new Map<string, { order: number; mode: 'open' | 'settled' | 'succeeded'; source: number }>();
  const key = (work: Attempted, index: number) =>
    `${work.rows.event} ${work.rows.endpointIds[index]} ${work.delivery.run}`;
  const order = ({ delivery }: Attempted) => delivery.round * 1_000 + delivery.attempt;
  return {
    isRepeat(work: Attempted, index: number) {
      const found = known.get(key(work, index));
      return found !== undefined && (found.mode === 'succeeded' || order(work) <= found.order);
    },
    takeIn(work: Attempted, index: number) {
      known.set(key(work, index), { order: order(work), mode: 'open', source: work.source });
    },
    settled(work: Attempted, index: number, succeeded: boolean) {
      const found = known.get(key(work, index));
      if (found === undefined || (order(work) < found.order && !succeeded)) return;
      found.mode = succeeded || found.mode === 'succeeded' ? 'succeeded' : 'settled';
    },
    forget(work: Attempted, index: number) {
      const found = known.get(key(work, index));
      if (found?.mode === 'open' && found.order === order(work)) known.delete(key(work, index));
    },
    lose(source: number) {
      for (const [each, { source: from }] of known) if (from === source) known.delete(each);
    },
    get size() {
      return known.size;
    },
  };
}

const EVENTS = Array.from({ length: 6 }, () => mintEventId(NOW));
const step = fc.record({
  what: fc.constantFrom('come', 'come', 'come', 'settle', 'succeed', 'forget', 'lose'),
  eventId: fc.constantFrom(...EVENTS),
  index: fc.nat({ max: 1 }),
  run: fc.nat({ max: 1 }),
  round: fc.nat({ max: 1 }),
  attempt: fc.integer({ min: 1, max: 3 }),
  source: fc.nat({ max: 2 }),
  /** Whether the record is one that was there before, with the rows that it remembers. */
  known: fc.boolean(),
});

test('any interleaving of copies, outcomes, moves and losses makes one request per attempt', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { repeats } = setup();
      const model = createModel();
      const before = new Map<string, Attempted>();
      for (const { what, index, known, ...over } of steps) {
        const name = JSON.stringify(over);
        const work = (known ? before.get(name) : undefined) ?? attempted(over);
        before.set(name, work);
        const repeat = repeats.isRepeat(work, index);
        expect(repeat).toBe(model.isRepeat(work, index));
        for (const each of [repeats, model]) {
          if (what === 'come' && !repeat) each.takeIn(work, index);
          else if (what === 'settle') each.settled(work, index, false);
          else if (what === 'succeed') each.settled(work, index, true);
          else if (what === 'forget') each.forget(work, index);
          else if (what === 'lose') each.lose(over.source);
        }
        expect(repeats.stats().remembered).toBe(model.size);
      }
    }),
    { numRuns: propertyRuns(40) },
  );
});
