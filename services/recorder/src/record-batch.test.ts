import { deriveDeliveryId, mintEventId, standingOrder } from '@posthorn/contracts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  attempted,
  cancelled,
  circuit,
  deadLetter,
  deadLettered,
  dispatched,
  drained,
  load,
  NOW_MS,
  newSubject,
  purged,
  removed,
  replayed,
} from '../test/entries.ts';
import type { Item } from './consume/read-record.ts';
import { circuitColumns } from './gather-signals.ts';
import { gatherRows } from './record-batch.ts';

/** The one delivery of a batch as a row. */
function deliveryOf(items: readonly Item[]): Record<string, unknown> {
  const { columns } = gatherRows(items).deliveries;
  expect(columns.deliveryId).toHaveLength(1);
  return Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[0]]));
}

describe('a batch', () => {
  test('merges what was dispatched and its first outcome into one row', () => {
    const subject = newSubject();
    const row = deliveryOf([dispatched(subject), attempted(subject, 'success')]);
    expect(row).toMatchObject({ state: 'success', attempt: 1, lastStatus: 200, updatedAtMs: NOW_MS + 1_000 });
  });

  test('has the same row, whichever of the two came first', () => {
    const subject = newSubject();
    const items = [dispatched(subject), attempted(subject, 'processing')];
    expect(deliveryOf(items.toReversed())).toEqual(deliveryOf(items));
  });

  test('has a pending row of run 0 for each endpoint that an event was dispatched to', () => {
    const [first, second] = [newSubject(), newSubject()];
    const { columns } = gatherRows([
      { ...dispatched(first), endpointIds: [first.endpointId, second.endpointId] },
    ]).deliveries;
    expect(columns.deliveryId).toEqual(
      [first, second].map(({ endpointId }) => deriveDeliveryId(first.eventId, endpointId, 0)),
    );
    expect(columns.state).toEqual(['pending', 'pending']);
    expect(columns.attempt).toEqual([0, 0]);
  });

  test('has a scheduled row with its time for an event that is due later', () => {
    const subject = newSubject();
    const later = { ...dispatched(subject), dueAtMs: NOW_MS + 9_000 };
    expect(deliveryOf([later])).toMatchObject({ state: 'scheduled', nextDueAtMs: NOW_MS + 9_000 });
    expect(deliveryOf([attempted(subject, 'success'), later])).toMatchObject({ state: 'success' });
  });

  test('has what an attempt tells of its request, from the moment that its id names', () => {
    const details = {
      responseHeaders: { 'retry-after': '7', 'x-odd': ['a\0', '"'] },
      phases: { connectMs: 3, firstByteMs: 9 },
      revision: 12,
    };
    const entry = attempted(newSubject(), 'failed', {}, { ...details, attemptId: mintEventId(NOW_MS - 77) });
    expect(gatherRows([entry]).attempts).toMatchObject({
      startedAtMs: [NOW_MS - 77],
      responseHeaders: ['{"retry-after":"7","x-odd":["a\\u0000","\\""]}'],
      dnsMs: [null],
      connectMs: [3],
      tlsMs: [null],
      firstByteMs: [9],
      revision: [12],
    });
  });

  test('has an attempt that the release before journaled, without what that did not say', () => {
    expect(gatherRows([attempted(newSubject(), 'success')]).attempts).toMatchObject({
      status: [200],
      responseHeaders: [null],
      dnsMs: [null],
      firstByteMs: [null],
      revision: [null],
    });
    expect(gatherRows([load()]).signals.load.size).toBe(1);
  });

  test('says of a circuit what its worker said last', () => {
    const opened = circuit();
    const closed = { ...opened, nextProbeAtMs: null, atMs: opened.atMs + 5 };
    const other = { ...opened, workerId: 'worker-2' };
    expect(circuitColumns(gatherRows([opened, other, closed]).signals)).toMatchObject({
      workerId: ['worker-1', 'worker-2'],
      nextProbeAtMs: [null, opened.nextProbeAtMs],
      changedAtMs: [opened.atMs + 5, opened.atMs],
    });
  });

  test('puts a delivery that died without a request where its dead letter puts it', () => {
    const subject = newSubject();
    const [died, letter] = [deadLettered(subject, { attempt: 3 }), deadLetter(subject, { attempt: 2 })];
    expect(deliveryOf([died]).standing).toBe(deliveryOf([letter]).standing);
    expect(deliveryOf([attempted(subject, 'processing', { attempt: 2 }), died])).toMatchObject({
      state: 'failed',
      attempt: 2,
      lastFailure: 'circuit_open',
    });
  });

  test('says once what it says twice', () => {
    const subject = newSubject();
    const gone = () => attempted(subject, 'failed', {}, { failure: 'gone', status: 410, urlHash: 'ab' });
    const { signals } = gatherRows([
      ...[gone(), gone()],
      ...[removed(subject, 5), removed(subject, 9), removed(subject, 7)],
      ...[purged(), purged(), drained(), drained()],
      ...[load({ queued: 9 }), load({ queued: 1 }), load({ workerId: 'worker-2' })],
    ]);
    expect([...signals.gone.values()]).toMatchObject([{ endpointId: subject.endpointId, urlHash: 'ab' }]);
    expect([...signals.removals.values()]).toMatchObject([{ atMs: 9 }]);
    expect([signals.purges.size, signals.drained.size]).toEqual([1, 1]);
    expect([...signals.load.values()].map(({ queued }) => queued)).toEqual([1, 3]);
  });

  test('keeps every attempt and one dead letter of a delivery', () => {
    const subject = newSubject();
    const rows = gatherRows([
      attempted(subject, 'processing'),
      attempted(subject, 'failed', { attempt: 2 }),
      deadLetter(subject, { attempt: 2 }),
      replayed(subject),
      deadLetter(subject, { round: 1, attempt: 2 }),
      deadLetter(subject, { attempt: 2 }),
    ]);
    expect(rows.attempts.attempt).toEqual([1, 2]);
    expect(rows.deadLetters.columns.round).toEqual([1]);
    expect(rows.deliveries.columns).toMatchObject({ state: ['failed'], round: [1], attempt: [2] });
  });

  test('takes a new run for a delivery of its own', () => {
    const subject = newSubject();
    const rows = gatherRows([attempted(subject, 'success'), replayed(subject, { run: 1, round: 0 })]);
    expect(rows.deliveries.columns.state).toEqual(['success', 'pending']);
    expect(new Set(rows.deliveries.columns.deliveryId).size).toBe(2);
  });

  test('puts a row into the class that keeps it long enough, on the day of its event', () => {
    const subject = newSubject();
    const days = [1, 7, 8, 30, 31, 400].map(
      (retentionDays) => deliveryOf([{ ...dispatched(subject), retentionDays }]).retentionDays,
    );
    expect(days).toEqual([7, 7, 30, 30, 90, 90]);
    expect(deliveryOf([dispatched(subject, NOW_MS + 3 * 86_400_000)]).day).toBe(
      Math.floor(NOW_MS / 86_400_000),
    );
  });

  test('has no character that Postgres cannot keep', () => {
    const subject = newSubject();
    const entry = attempted(subject, 'processing', {}, { error: 'a\0b' });
    expect(gatherRows([entry]).attempts.error).toEqual(['a\uFFFDb']);
    expect(deliveryOf([entry]).lastError).toBe('a\uFFFDb');
  });
});

test('the rows do not depend on the order, number or cut of what arrives', () => {
  const subject = newSubject();
  const which = fc.record({
    round: fc.integer({ min: 0, max: 2 }),
    attempt: fc.integer({ min: 1, max: 3 }),
  });
  const item: fc.Arbitrary<Item> = fc.oneof(
    fc.constant(dispatched(subject)),
    fc
      .tuple(fc.constantFrom('success', 'processing', 'failed'), which, fc.integer({ min: 0, max: 2 }))
      .map(([state, at, status]) => attempted(subject, state as never, at, { status: 500 + status })),
    which.map((at) => cancelled(subject, at)),
    which.map((at) => replayed(subject, at)),
    which.map((at) => deadLetter(subject, at)),
    which.map((at) => deadLettered(subject, at)),
  );
  const journals = fc
    .array(item, { minLength: 1, maxLength: 10 })
    .chain((items) =>
      fc.tuple(
        fc.constant(items),
        fc.shuffledSubarray([...items, ...items], { minLength: items.length * 2 }),
      ),
    );
  fc.assert(
    fc.property(journals, ([items, shuffled]) => {
      const row = deliveryOf(items);
      expect(deliveryOf(shuffled)).toEqual(row);
      const greatest = Math.max(
        ...items.map((each) => deliveryOf([each]).standing as number),
        standingOrder({ state: 'scheduled', round: 0, attempt: 0 }),
      );
      expect(row.standing).toBe(greatest);
      const letters = gatherRows(items).deadLetters.columns;
      expect(gatherRows(shuffled).deadLetters.columns).toEqual(letters);
    }),
  );
});
