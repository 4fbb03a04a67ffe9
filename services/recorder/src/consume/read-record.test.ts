import { RecordFormatError } from '@posthorn/contracts';
import { describe, expect, test } from 'vitest';
import {
  attempted,
  deadLetter,
  deadLetterHeaders,
  dispatched,
  eventHeaders,
  journal,
  newSubject,
} from '../../test/entries.ts';
import { readRecord } from './read-record.ts';

const record = (headers: Record<string, string>, value: Buffer = Buffer.alloc(0)) => ({
  topic: 'dead-letters',
  partition: 0,
  offset: 0,
  headers,
  value,
});

describe('a record', () => {
  test('of events becomes the event with its bytes and the text of its labels', () => {
    const subject = newSubject();
    const payload = Buffer.from('{"n": 1e400}');
    const { items } = readRecord('events', record(eventHeaders(subject), payload));
    expect(items).toMatchObject([
      { kind: 'event', event: { eventId: subject.eventId }, labels: '{"region":"eu"}', payload },
    ]);
  });

  test('of the journal becomes its entries; those of an unknown kind or shape are counted', () => {
    const subject = newSubject();
    const { endpointId: _gone, ...shapeless } = attempted(subject, 'failed');
    const strange = [{ kind: 'from_the_future' }, null, shapeless];
    const entries = [dispatched(subject), ...strange, attempted(subject, 'success')];
    const read = readRecord('journal', record({}, journal(...entries)));
    expect(read.items.map((item) => item.kind)).toEqual(['dispatched', 'attempted']);
    expect(read.unknown).toBe(strange.length);
  });

  test('of the dead letters becomes the dead letter with its place', () => {
    const item = deadLetter(newSubject());
    expect(readRecord('dead_letters', record(deadLetterHeaders(item))).items).toEqual([item]);
  });

  test('of the dead letters that asks for a replay is no dead letter', () => {
    const headers = { ...deadLetterHeaders(deadLetter(newSubject())), ph_replay: 'true' };
    expect(readRecord('dead_letters', record(headers))).toEqual({ items: [], unknown: 0 });
  });

  test.each([
    ['events', record({})],
    ['dead_letters', record(eventHeaders(newSubject()))],
    ['journal', record({}, Buffer.from('not json'))],
    ['journal', record({}, Buffer.from('{"v":2,"entries":[]}'))],
  ] as const)('of %s that is malformed is refused as such', (source, malformed) => {
    expect(() => readRecord(source, malformed)).toThrow(RecordFormatError);
  });
});
