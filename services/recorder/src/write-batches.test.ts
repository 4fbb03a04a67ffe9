import type { SetAsideRecord } from '@posthorn/db';
import type { TrackedRecord } from '@posthorn/kafka';
import { createMetrics } from '@posthorn/runtime';
import { createFakeClock, createSignalledList } from '@posthorn/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import { attempted, eventHeaders, journal, newSubject } from '../test/entries.ts';
import { createIntake } from './consume/intake.ts';
import type { Item } from './consume/read-record.ts';
import { createRecorderMetrics } from './metrics.ts';
import { type BatchWriter, createBatchWriter } from './write-batches.ts';

class DataError extends Error {}

const writers: BatchWriter[] = [];
afterEach(async () => {
  await Promise.all(writers.splice(0).map((writer) => writer.stop()));
});

function setup(write: (items: readonly Item[]) => Promise<void> | void = () => undefined, maxRecords = 100) {
  const written = createSignalledList<readonly Item[]>();
  const setAside = createSignalledList<SetAsideRecord>();
  const completed = createSignalledList<number>();
  const waits: number[] = [];
  const intake = createIntake({ maxRecords, maxBytes: 1e9, resume() {} });
  const metrics = createRecorderMetrics(createMetrics('recorder'), {
    bufferedRecords: () => 0,
    bufferedBytes: () => 0,
    lag: () => ({ events: 0, journal: 0, dead_letters: 0 }),
  });
  const writer = createBatchWriter({
    intake,
    store: {
      async write(items) {
        await write(items);
        written.push(items);
      },
      setAside: async (record) => setAside.push(record),
      isDataError: (error) => error instanceof DataError,
    },
    sourceOf: (topic) => topic as never,
    batchRows: 100,
    lingerMs: 0,
    metrics,
    clock: createFakeClock(),
    log: { warn() {}, error() {} } as never,
    wait: async (ms) => waits.push(ms),
  });
  writers.push(writer);
  let offset = 0;
  const offer = (topic: string, headers: Record<string, string>, value: Buffer = Buffer.alloc(0)): number => {
    const at = offset++;
    const record: TrackedRecord = {
      topic,
      partition: 0,
      offset: at,
      timestampMs: 0,
      key: null,
      value,
      headers,
      slots: 1,
      isDone: () => false,
      heldForMs: () => 0,
      mayStillSettle: () => false,
      passOver() {},
      complete: () => completed.push(at),
      live: true,
    };
    expect(intake.assigned(topic, 0).offer(record)).toBe(true);
    return at;
  };
  const completes = (...offsets: number[]) =>
    completed.waitFor(() => offsets.every((each) => completed.items.includes(each)), {
      what: `records ${offsets} to be completed`,
    });
  return { writer, intake, offer, written, setAside, completed, completes, waits, metrics };
}

describe('the writer', () => {
  test('completes records when their batch is committed, and not before', async () => {
    const { promise: commit, resolve } = Promise.withResolvers<void>();
    const begun = createSignalledList<number>();
    const { writer, offer, completed, completes } = setup(async (items) => {
      begun.push(items.length);
      await commit;
    });
    const offsets = [
      offer('events', eventHeaders(newSubject())),
      offer('events', eventHeaders(newSubject())),
    ];
    writer.start();
    await begun.waitFor(() => begun.items.length === 1, { what: 'the write to begin' });
    expect(begun.items).toEqual([2]);
    expect(completed.items).toEqual([]);
    resolve();
    await completes(...offsets);
  });

  test('gathers the next batch while the last is written', async () => {
    const { promise: commit, resolve } = Promise.withResolvers<void>();
    const begun = createSignalledList<number>();
    const { writer, offer, completes } = setup(async (items) => {
      begun.push(items.length);
      await commit;
    });
    offer('events', eventHeaders(newSubject()));
    writer.start();
    await begun.waitFor(() => begun.items.length === 1, { what: 'the write to begin' });
    const later = [1, 2, 3].map(() => offer('events', eventHeaders(newSubject())));
    resolve();
    await completes(...later);
    expect(begun.items).toEqual([1, 3]);
  });

  test('tries again for as long as Postgres is away, waiting longer up to a bound, and loses nothing', async () => {
    let failures = 8;
    const { writer, offer, completes, written, waits } = setup(() => {
      if (failures-- > 0) throw new Error('away');
    });
    const offset = offer('events', eventHeaders(newSubject()));
    writer.start();
    await completes(offset);
    expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    expect(written.items).toHaveLength(1);
  });

  test('sets a record aside that cannot be read, and goes on past its place', async () => {
    const { writer, offer, completes, setAside, written } = setup();
    const poison = offer('events', { ce_id: 'nonsense' });
    const good = offer('events', eventHeaders(newSubject()));
    writer.start();
    await completes(poison, good);
    expect(setAside.items).toMatchObject([{ offset: poison, headers: { ce_id: 'nonsense' } }]);
    expect(written.items.flat()).toMatchObject([
      { kind: 'passed', offset: poison },
      { kind: 'event', offset: good },
    ]);
  });

  test('finds the one entry that Postgres refuses and writes all the others', async () => {
    const bad = newSubject();
    const entries = Array.from({ length: 9 }, () => attempted(newSubject(), 'success'));
    entries.splice(5, 0, attempted(bad, 'success'));
    const { writer, offer, completes, setAside, written, metrics } = setup((items) => {
      if (items.some((item) => item.kind === 'attempted' && item.eventId === bad.eventId))
        throw new DataError('value out of range');
    });
    const [mixed, good] = [
      offer('journal', {}, journal(...entries)),
      offer('events', eventHeaders(newSubject())),
    ];
    writer.start();
    await completes(mixed, good);
    expect(setAside.items).toMatchObject([{ offset: mixed, reason: 'value out of range' }]);
    expect(written.items.flat()).toHaveLength(10);
    expect((await metrics.setAside.get()).values).toMatchObject([{ labels: { topic: 'journal' }, value: 1 }]);
  });

  test('goes past an event that Postgres refuses, after those before it', async () => {
    const { writer, offer, completes, written } = setup((items) => {
      if (items.some((item) => item.kind === 'event' && item.offset === 1)) throw new DataError('no');
    });
    const offsets = [0, 1, 2].map(() => offer('events', eventHeaders(newSubject())));
    writer.start();
    await completes(...offsets);
    expect(written.items.flat().map((item) => (item as { offset: number }).offset)).toEqual(offsets);
  });

  test('writes what is queued when it is drained', async () => {
    const { writer, offer, completed } = setup();
    writer.start();
    for (let i = 0; i < 5; i++) offer('events', eventHeaders(newSubject()));
    await writer.drain(10_000);
    expect(completed.items).toHaveLength(5);
  });

  test('stops in the middle of an outage and completes nothing that was not written', async () => {
    const tried = createSignalledList<string>();
    const { writer, offer, completed, intake } = setup(() => {
      tried.push('tried');
      throw new Error('away');
    });
    offer('events', eventHeaders(newSubject()));
    writer.start();
    await tried.waitFor(() => tried.items.length > 2, { what: 'the third try' });
    await writer.stop();
    expect(completed.items).toEqual([]);
    expect(intake.records).toBe(0);
  });

  test('stops while a transaction has no answer', async () => {
    const begun = createSignalledList<string>();
    const { writer, offer, completed } = setup(() => {
      begun.push('begun');
      return new Promise(() => undefined);
    });
    offer('events', eventHeaders(newSubject()));
    writer.start();
    await begun.waitFor(() => begun.items.length === 1, { what: 'the write to begin' });
    await writer.stop();
    expect(completed.items).toEqual([]);
  });
});
