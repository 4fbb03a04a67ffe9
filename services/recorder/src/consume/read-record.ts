import {
  asksForReplay,
  type DeadLetterMeta,
  type DeliveryMeta,
  decodeDeadLetter,
  decodeDelivery,
  decodeEvent,
  decodeJournal,
  type EventMeta,
  type JournalEntry,
} from '@posthorn/contracts';
import type { TrackedRecord } from '@posthorn/kafka';
import type { SourceTopic } from '../metrics.ts';
import { isJournalEntry } from './check-entry.ts';

export interface EventItem {
  readonly kind: 'event';
  readonly event: EventMeta;
  /** RFC 8259 text of the labels, as it stood in the record. */
  readonly labels: string;
  readonly payload: Buffer;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** A record of `events` that was set aside: the place that the record has passed. */
export interface PassedItem {
  readonly kind: 'passed';
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface DeadLetterItem {
  readonly kind: 'dead_letter';
  readonly event: EventMeta;
  readonly delivery: DeliveryMeta;
  readonly deadLetter: DeadLetterMeta;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** What one row or a few come of: the smallest thing that can be set aside by itself. */
export type Item = JournalEntry | EventItem | DeadLetterItem | PassedItem;

export interface ReadRecord {
  readonly items: readonly Item[];
  /** Entries of a kind or a shape that this release does not know. */
  readonly unknown: number;
}

type Readable = Pick<TrackedRecord, 'topic' | 'partition' | 'offset' | 'headers' | 'value'>;

/** @throws RecordFormatError when nothing of the record can be read. */
export function readRecord(source: SourceTopic, record: Readable): ReadRecord {
  switch (source) {
    case 'events':
      return { items: [readEvent(record)], unknown: 0 };
    case 'dead_letters':
      // A copy that asks for a replay is the dispatcher's.
      if (asksForReplay(record.headers)) return { items: [], unknown: 0 };
      return { items: [readDeadLetter(record)], unknown: 0 };
    case 'journal':
      return readJournal(record);
    default:
      return source satisfies never;
  }
}

function readEvent(record: Readable): EventItem {
  const { topic, partition, offset } = record;
  return {
    kind: 'event',
    event: decodeEvent(record.headers),
    labels: record.headers.ce_labels ?? '{}',
    payload: record.value,
    topic,
    partition,
    offset,
  };
}

function readDeadLetter(record: Readable): DeadLetterItem {
  return {
    kind: 'dead_letter',
    event: decodeEvent(record.headers),
    delivery: decodeDelivery(record.headers),
    deadLetter: decodeDeadLetter(record.headers),
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
  };
}

function readJournal(record: Readable): ReadRecord {
  const entries = decodeJournal(record.value);
  const items = entries.filter(isJournalEntry);
  return { items, unknown: entries.length - items.length };
}
