import type { TrackedRecord } from '@posthorn/kafka';
import { describe, expect, test } from 'vitest';
import { createIntake } from './intake.ts';

function record(over: Partial<TrackedRecord> = {}): TrackedRecord {
  return {
    topic: 'events',
    partition: 0,
    offset: 0,
    timestampMs: 0,
    key: null,
    value: Buffer.alloc(0),
    headers: { ce_id: 'x' },
    slots: 1,
    isDone: () => false,
    heldForMs: () => 0,
    mayStillSettle: () => false,
    passOver() {},
    complete() {},
    live: true,
    ...over,
  };
}

function setup(bounds: { maxRecords?: number; maxBytes?: number } = {}) {
  const resumed: string[] = [];
  const intake = createIntake({
    maxRecords: 4,
    maxBytes: 1_000_000,
    resume: (topic, partition) => resumed.push(`${topic}/${partition}`),
    ...bounds,
  });
  return { intake, resumed, offer: intake.assigned('events', 0).offer };
}

describe('the intake', () => {
  test('refuses what is over its bound and opens the partitions when half is written', () => {
    const { intake, resumed, offer } = setup();
    for (let i = 0; i < 4; i++) expect(offer(record())).toBe(true);
    expect(offer(record())).toBe(false);
    expect(offer(record({ partition: 1 }))).toBe(false);
    const first = intake.take(1);
    expect(first).toHaveLength(1);
    expect(offer(record())).toBe(false);
    intake.release(first);
    expect(resumed).toEqual([]);
    intake.release(intake.take(1));
    expect(resumed).toEqual(['events/0', 'events/1']);
    expect(offer(record())).toBe(true);
  });

  test('counts bytes as well, and takes one record of any size when it is empty', () => {
    const { offer, intake } = setup({ maxBytes: 2_000 });
    expect(offer(record({ value: Buffer.alloc(5_000) }))).toBe(true);
    expect(offer(record())).toBe(false);
    intake.release(intake.take(1));
    expect(intake.bytes).toBe(0);
  });

  test('drops records of a lost partition and frees their place', () => {
    const { intake, offer } = setup();
    offer(record({ live: false }));
    offer(record());
    expect(intake.take(10)).toHaveLength(1);
    expect(intake.records).toBe(1);
  });

  test('does not open a partition again that was lost meanwhile', () => {
    const { intake, resumed, offer } = setup({ maxRecords: 1 });
    offer(record());
    const other = intake.assigned('events', 1);
    other.offer(record({ partition: 1 }));
    other.lost();
    intake.release(intake.take(1));
    expect(resumed).toEqual([]);
  });

  test('takes whole records of about as many rows as are asked for, guessed from a journal record by its size', () => {
    const { intake, offer } = setup();
    const journal = record({ headers: {}, value: Buffer.alloc(512 * 9) });
    offer(journal);
    offer(journal);
    offer(record());
    expect(intake.take(11)).toHaveLength(2);
    expect(intake.take(11)).toHaveLength(1);
  });

  test('says when enough has gathered, or when enough time has passed', async () => {
    const { intake, offer } = setup();
    const arrival = intake.arrival();
    offer(record());
    await arrival;
    const enough = intake.gathered(2, 60_000);
    offer(record());
    await enough;
    await intake.gathered(100, 0);
  });
});
