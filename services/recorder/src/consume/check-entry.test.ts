import { describe, expect, test } from 'vitest';
import {
  attempted,
  cancelled,
  circuit,
  deadLettered,
  dispatched,
  drained,
  load,
  newSubject,
  purged,
  removed,
  replayed,
} from '../../test/entries.ts';
import { isJournalEntry } from './check-entry.ts';

const subject = newSubject();
const entries = [
  attempted(subject, 'success'),
  attempted(subject, 'processing'),
  attempted(subject, 'failed'),
  cancelled(subject),
  dispatched(subject),
  replayed(subject),
  deadLettered(subject),
  removed(subject),
  purged(),
  purged({ eventId: subject.eventId }),
  load(),
  circuit(),
  drained(),
];
const fieldsOf = entries.flatMap((entry) =>
  Object.keys(entry).map((field) => [entry.kind, field, entry] as const),
);

describe('a journal entry', () => {
  test.each(entries)('as it is written is taken ($kind)', (entry) => {
    expect(isJournalEntry(JSON.parse(JSON.stringify(entry)))).toBe(true);
    expect(isJournalEntry({ ...entry, from_the_future: 1 })).toBe(true);
  });

  test.each(fieldsOf)('%s is not taken without its %s', (_kind, field, entry) => {
    const { [field as keyof typeof entry]: _gone, ...rest } = entry;
    expect(isJournalEntry(rest)).toBe(false);
  });

  test.each(fieldsOf)('%s is not taken with a %s of another type', (_kind, field, entry) => {
    for (const value of [true, {}, -1, 0.5, Number.MAX_VALUE])
      expect(isJournalEntry({ ...entry, [field]: value })).toBe(false);
  });

  test('may have what only some have, and then of the right type', () => {
    expect(isJournalEntry({ ...dispatched(subject), dueAtMs: 5 })).toBe(true);
    expect(isJournalEntry({ ...dispatched(subject), dueAtMs: 'soon' })).toBe(false);
    expect(isJournalEntry({ ...attempted(subject, 'failed'), urlHash: 'ab12' })).toBe(true);
    expect(isJournalEntry({ ...attempted(subject, 'failed'), urlHash: 5 })).toBe(false);
    expect(isJournalEntry(load({ overflow: 7 }))).toBe(true);
    expect(isJournalEntry({ ...load(), overflow: -1 })).toBe(false);
    expect(isJournalEntry(circuit({ nextProbeAtMs: null }))).toBe(true);
  });

  test.each([
    ['responseHeaders', { 'retry-after': '7', 'set-cookie': ['a', 'b'] }, { 'x-a': 5 }],
    ['responseHeaders', {}, ['a']],
    ['responseHeaders', { __proto__: null }, null],
    ['phases', { firstByteMs: 7 }, { firstByteMs: 0.5 }],
    ['phases', {}, 'soon'],
    ['phases', { fromTheFutureMs: 1 }, { dnsMs: null }],
    ['revision', 0, null],
  ])('of an attempt may tell its %s, as %j and not as %j', (field, right, wrong) => {
    const entry = attempted(subject, 'failed');
    expect(isJournalEntry({ ...entry, [field]: right })).toBe(true);
    expect(isJournalEntry({ ...entry, [field]: wrong })).toBe(false);
  });

  test.each([null, 5, 'attempted', [], {}, { kind: '__proto__' }])('is not %j', (value) => {
    expect(isJournalEntry(value)).toBe(false);
  });
});
