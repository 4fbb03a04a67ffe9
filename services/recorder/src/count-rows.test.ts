import { latencyBucket, type NewRows, noCounts, toNote } from '@posthorn/db';
import { describe, expect, test } from 'vitest';
import { attempted, deadLetter, dispatched, NOW_MS, newSubject, TENANT } from '../test/entries.ts';
import type { Item } from './consume/read-record.ts';
import { countRows } from './count-rows.ts';
import { gatherRows } from './record-batch.ts';

const all: NewRows = { count: 0, take: () => true };
const none: NewRows = { count: 0, take: () => false };
const MINUTE = NOW_MS / 60_000;

const count = (
  items: readonly Item[],
  added: Partial<Parameters<typeof countRows>[1]> = {},
  nowMs = NOW_MS,
) =>
  countRows(
    gatherRows(items),
    { events: all, deliveries: all, attempts: all, deadLetters: [], ...added },
    nowMs,
  );

describe('what a batch has added', () => {
  test('is counted by minute, endpoint, type and outcome', () => {
    const subject = newSubject();
    const key = {
      minute: MINUTE,
      tenantId: TENANT,
      endpointId: subject.endpointId,
      eventType: 'order.created',
    };
    const latency = noCounts().latency;
    latency[latencyBucket(12)] = 2;
    const items = [
      dispatched(subject),
      attempted(subject, 'processing', { attempt: 1 }),
      attempted(subject, 'processing', { attempt: 2 }),
    ];
    expect(count(items)).toEqual([
      toNote({ ...key, statusClass: '', failure: '' }, { ...noCounts(), deliveries: 1 }),
      toNote({ ...key, statusClass: '5xx', failure: 'http_5xx' }, { ...noCounts(), attempts: 2, latency }),
    ]);
  });

  test('is counted under the names that types are given', () => {
    const types = { nameFor: () => '*' };
    const noted = countRows(
      gatherRows([dispatched(newSubject()), dispatched(newSubject())]),
      { events: all, deliveries: all, attempts: all, deadLetters: [] },
      NOW_MS,
      types,
    );
    expect(noted.every(([, , , eventType]) => eventType === '*')).toBe(true);
  });

  test('leaves out what was there before', () => {
    const subject = newSubject();
    const items = [dispatched(subject), attempted(subject, 'success')];
    expect(count(items, { deliveries: none, attempts: none })).toEqual([]);
  });

  test('has a failure without an answer in a class of its own', () => {
    const subject = newSubject();
    const [note] = count([attempted(subject, 'processing', {}, { status: null, failure: 'timeout' })], {
      deliveries: none,
    });
    expect(note!.slice(4, 6)).toEqual(['none', 'timeout']);
  });

  test('has dead letters that are new in the index', () => {
    const [first, second] = [newSubject(), newSubject()];
    const { columns } = gatherRows([deadLetter(first), deadLetter(second)]).deadLetters;
    const written = [{ tenantId: TENANT, deliveryId: columns.deliveryId[1]!, added: true }];
    const notes = count([deadLetter(first), deadLetter(second)], { deliveries: none, deadLetters: written });
    expect(notes).toHaveLength(1);
    expect(notes[0]![2]).toBe(second.endpointId);
  });

  test('counts no later than an hour ahead, whatever a clock says', () => {
    const [note] = count([dispatched(newSubject(), NOW_MS + 10 * 86_400_000)]);
    expect(note![0]).toBe(MINUTE + 60);
  });
});
