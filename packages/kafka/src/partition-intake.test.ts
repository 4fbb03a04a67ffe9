import { expect, test } from 'vitest';
import { batchAt } from '../test/fetched-batch.ts';
import type { SlotPlace, SlotUnderWay, TrackedRecord } from './consumer.ts';
import { PartitionIntake } from './partition-intake.ts';
import { decodeMap, MapEncoder } from './window-encoding.ts';

const LOG_END = 100;

interface World {
  nowMs: number;
  accepts(record: TrackedRecord): boolean;
  readonly offered: TrackedRecord[];
  readonly underWay: SlotUnderWay[];
  readonly pauses: boolean[];
  readonly gone: number[];
  readonly lost: Array<readonly SlotPlace[]>;
}

/** A partition whose log holds every offset up to `end`, but those in `missing`. */
function setup({ end = LOG_END, missing = [] as number[], map = '', slots = 2, maxMapChars = 4_096 } = {}) {
  const world: World = {
    nowMs: 0,
    accepts: () => true,
    offered: [],
    underWay: [],
    pauses: [],
    gone: [],
    lost: [],
  };
  const handler = {
    offer(record: TrackedRecord) {
      if (!world.accepts(record)) return false;
      world.offered.push(record);
      return true;
    },
    lost: (settledSince: readonly SlotPlace[] = []) => void world.lost.push(settledSince),
    underWay: () => world.underWay,
  };
  const decoded = decodeMap(0, map);
  const from = {
    start: 0,
    map: decoded.kind === 'map' ? decoded.map : null,
    committed: { offset: -1, metadata: '' },
  };
  const intake: PartitionIntake = new PartitionIntake({ topic: 't', partition: 0 }, handler, from, {
    maxMapChars,
    nowMs: () => world.nowMs,
    slotCount: () => slots,
    onDirty: () => {},
    onPauseChange: ({ paused }) => void world.pauses.push(paused),
    onGone: (_intake, records) => void world.gone.push(records),
  });
  const fetch = (count = 10) =>
    intake.take(batchAt(intake.cursor, Math.min(end, intake.cursor + count), { missing, end: LOG_END }));
  const offsets = () => world.offered.splice(0).map(({ offset }) => offset);
  return { world, intake, fetch, offsets };
}

const passOver = (record: TrackedRecord) => {
  record.passOver();
  return true;
};

test('what was passed over is offered again, without what is held or finished, and then it goes on', () => {
  const { world, intake, fetch, offsets } = setup();
  fetch();
  const records = world.offered.splice(0);
  for (const offset of [2, 3, 4, 7]) records[offset]!.passOver();
  records[5]!.complete();
  intake.reread(3);
  expect(intake.cursor).toBe(3);
  fetch(8);
  expect(offsets()).toEqual([3, 4, 7, 10]);
  expect([intake.cursor, intake.position]).toEqual([11, 11]);
  expect(intake.stats()).toMatchObject({ passedOver: 1, uncommittedSpan: 11 });
});

test('a record passed over is dead to who had it', () => {
  const { world, intake, fetch, offsets } = setup();
  fetch(1);
  const [before] = world.offered.splice(0);
  before!.passOver();
  before!.complete();
  before!.passOver();
  expect(intake.stats().passedOver).toBe(1);
  intake.reread(0);
  fetch(1);
  expect(offsets()).toEqual([0]);
});

test('a record may be passed over as it is offered, again and again', () => {
  const { world, intake, fetch } = setup();
  let offers = 0;
  world.accepts = (record) => {
    offers++;
    return passOver(record);
  };
  fetch();
  intake.reread(0);
  fetch(12);
  expect(offers).toBe(22);
  expect(intake.stats().passedOver).toBe(12);
});

test('a record refused in a rereading comes again when the partition is resumed', () => {
  const { world, intake, fetch, offsets } = setup();
  fetch();
  for (const record of world.offered.splice(0)) record.passOver();
  intake.reread(4);
  world.accepts = ({ offset }) => offset < 6;
  fetch();
  expect(offsets()).toEqual([4, 5]);
  expect([intake.paused, intake.cursor, intake.stats().passedOver]).toEqual([true, 6, 8]);
  world.accepts = () => true;
  intake.resume('handler');
  fetch(4);
  expect(offsets()).toEqual([6, 7, 8, 9]);
});

test('a batch that was under way when the cursor moved is dropped', () => {
  const { world, intake, fetch, offsets } = setup();
  fetch();
  for (const record of world.offered.splice(0)) record.passOver();
  const late = batchAt(intake.cursor, 20, { end: LOG_END });
  intake.reread(0);
  expect(intake.take(late)).toBe(false);
  expect(offsets()).toEqual([]);
  intake.reread(Number.POSITIVE_INFINITY);
  expect(intake.take(late)).toBe(true);
});

test('a rereading that an offer begins ends the batch, and nothing is taken for gone', () => {
  const { world, intake, fetch, offsets } = setup();
  world.accepts = passOver;
  fetch();
  offsets();
  let asked = false;
  world.accepts = ({ offset }) => {
    if (offset === 12 && !asked) {
      asked = true;
      intake.reread(8);
    }
    return true;
  };
  fetch();
  expect(intake.cursor).toBe(8);
  fetch(8);
  expect(offsets()).toEqual([10, 11, 12, 8, 9, 13, 14, 15]);
  expect(world.gone).toEqual([]);
});

test('passed-over records that have left the log are told, and hold up nothing', () => {
  const { world, intake, fetch, offsets } = setup({ missing: [3, 4] });
  const whole = batchAt(0, 10, { end: LOG_END });
  world.accepts = passOver;
  intake.take(whole);
  offsets();
  world.accepts = () => true;
  intake.reread(0);
  fetch();
  expect(offsets()).toEqual([0, 1, 2, 5, 6, 7, 8, 9]);
  expect(world.gone).toEqual([2]);
});

test('a full map stops what is new, not the rereading that empties it', () => {
  const { world, intake, fetch, offsets } = setup({ maxMapChars: 64 });
  fetch(90);
  for (const record of world.offered.splice(0))
    record.offset % 2 === 0 ? record.passOver() : record.complete();
  intake.prepareCommit();
  expect([intake.paused, world.pauses]).toEqual([true, [true]]);
  intake.reread(80);
  expect([intake.paused, world.pauses]).toEqual([false, [true, false]]);
  fetch(20);
  expect(offsets()).toEqual([80, 82, 84, 86, 88]);
  expect([intake.paused, intake.position, world.pauses.at(-1)]).toEqual([true, 90, true]);
});

test('marks are taken back also when nobody knows whether they were ever committed', () => {
  const { world, intake, fetch } = setup();
  fetch();
  intake.acknowledge(intake.prepareCommit()!.committed);
  world.underWay.push({ offset: 0, slot: 0, leftMs: 1_000 });
  intake.prepareHandOver();
  intake.prepareCommit();
  intake.keep();
  expect(intake.prepareCommit()).not.toBeNull();
});

test('what an earlier owner held comes as held, until its time and a margin are over', () => {
  const encoder = new MapEncoder(0);
  encoder.held(0, null, 2, [{ slot: 1, leftMs: 1_600 }]);
  const { world, intake, fetch } = setup({ map: encoder.finish(1) });
  fetch(1);
  const [record] = world.offered;
  expect([record!.heldForMs(0), record!.heldForMs(1)]).toEqual([0, 2_600]);
  expect(intake.stats().held).toBe(1);
  world.nowMs = 2_599;
  expect(record!.heldForMs(1)).toBe(1);
  world.nowMs = 2_600;
  expect([record!.heldForMs(1), intake.stats().held]).toEqual([0, 0]);
});

test.each([
  ['is named', (encoder: MapEncoder) => encoder.held(60, null, 2, [{ slot: 1, leftMs: 1_600 }])],
  ['may be any', (encoder: MapEncoder) => encoder.allHeld({ leftMs: 1_600, end: 60 })],
])('what is held counts before it is read, and when it %s', (_what, hold) => {
  const encoder = new MapEncoder(0);
  hold(encoder);
  const { world, intake, fetch } = setup({ map: encoder.finish(61) });
  fetch();
  expect(intake.stats().held).toBeGreaterThan(0);
  world.nowMs = 2_600;
  expect(intake.stats().held).toBe(0);
});

test('what is held counts while it is passed over', () => {
  const encoder = new MapEncoder(0);
  encoder.held(0, null, 2, [{ slot: 1, leftMs: 1_600 }]);
  const { world, intake, fetch } = setup({ map: encoder.finish(1) });
  world.accepts = passOver;
  fetch(1);
  expect([intake.stats().passedOver, intake.stats().held]).toEqual([1, 1]);
});

test('a held slot that is completed is not held, and a record passed over keeps what is', () => {
  const encoder = new MapEncoder(0);
  encoder.held(
    0,
    null,
    2,
    [0, 1].map((slot) => ({ slot, leftMs: 1_600 })),
  );
  const { world, intake, fetch } = setup({ map: encoder.finish(1) });
  fetch(1);
  world.offered[0]!.complete(0);
  world.offered[0]!.passOver();
  intake.reread(0);
  fetch(1);
  const again = world.offered[1]!;
  expect([again.isDone(0), again.heldForMs(0), again.heldForMs(1)]).toEqual([true, 0, 2_600]);
});

function handOver({ acknowledged = true } = {}) {
  const bundle = setup();
  const { world, intake, fetch } = bundle;
  fetch(3);
  world.underWay.push({ offset: 1, slot: 0, leftMs: 500 }, { offset: 2, slot: 1, leftMs: 500 });
  expect(intake.prepareHandOver()).toBe(true);
  const { committed } = intake.prepareCommit()!;
  if (acknowledged) intake.acknowledge(committed);
  return { ...bundle, committed };
}

test('after a hand-over what was under way may be settled in its time, and nothing else', () => {
  const { world, intake } = handOver();
  const [, second] = world.offered;
  expect(second!.mayStillSettle(0)).toBe(false);
  intake.lose('handed_over');
  expect([second!.live, second!.mayStillSettle(0), second!.mayStillSettle(1)]).toEqual([false, true, false]);
  world.nowMs = 500;
  expect(second!.mayStillSettle(0)).toBe(false);
});

test('what is completed between the last commit and the loss is named to the handler', () => {
  const { world, intake } = handOver();
  world.offered[1]!.complete(0);
  world.offered[0]!.complete();
  intake.lose('handed_over');
  expect(world.lost).toEqual([[{ offset: 1, slot: 0 }]]);
});

test.each([
  ['the commit was not acknowledged', false, 'handed_over'],
  ['the group had forgotten us', true, 'dropped'],
] as const)('nothing may be settled when %s', (_why, acknowledged, loss) => {
  const { world, intake, committed } = handOver({ acknowledged });
  world.offered[1]!.complete(0);
  intake.lose(loss);
  // An answer that comes after the loss is too late: the slot has been given up by now.
  intake.acknowledge(committed);
  expect(world.offered[2]!.mayStillSettle(1)).toBe(false);
  expect(world.lost).toEqual([[]]);
});

test('a partition that stays takes its marks back with the next commit', () => {
  const { intake } = handOver();
  expect([intake.keep(), intake.keep()]).toEqual([true, false]);
  const { offset, metadata } = intake.prepareCommit()!.committed;
  expect(decodeMap(offset, metadata)).toMatchObject({
    map: { holes: [{ start: 0, length: 3, held: null }] },
  });
});
