import { decodeJournal, type JournalEntry, tenantPartition } from '@posthorn/contracts';
import type { OutboundRecord } from '@posthorn/kafka';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createJournalWriter, type JournalWriterOptions } from './journal-writer.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Sent {
  readonly record: OutboundRecord;
  readonly entries: JournalEntry[];
  acknowledge(): void;
  refuse(): void;
}

function setup(options: Partial<JournalWriterOptions> = {}) {
  const sent: Sent[] = [];
  const producer = {
    send: (record: OutboundRecord) =>
      new Promise<never>((resolve, reject) => {
        sent.push({
          record,
          entries: decodeJournal(record.value!),
          acknowledge: () => resolve(undefined as never),
          refuse: () => reject(new Error('no broker')),
        });
      }),
  };
  const writer = createJournalWriter({
    producer,
    topic: 'journal',
    partitions: 4,
    maxDelayMs: 10,
    ...options,
  });
  return { writer, sent };
}

const entry = (eventId: string, tenantId = 'acme'): JournalEntry => ({
  kind: 'dispatched',
  tenantId,
  eventId,
  eventType: 'order.created',
  retentionDays: 30,
  atMs: 0,
  endpointIds: [],
});
const ids = (sent: Sent | undefined) =>
  sent?.entries.map((each) => ('eventId' in each ? each.eventId : null));
const settle = () => vi.advanceTimersByTimeAsync(0);

test('entries of one delay travel in one batch of the partition of their tenant', async () => {
  const { writer, sent } = setup();
  void writer.append(entry('a'));
  await vi.advanceTimersByTimeAsync(9);
  void writer.append(entry('b'));
  expect(sent).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(sent).toHaveLength(1);
  expect(ids(sent[0])).toEqual(['a', 'b']);
  expect(sent[0]!.record).toMatchObject({ topic: 'journal', partition: tenantPartition('acme', 4) });
});

test('an append resolves when its batch is acknowledged, not before', async () => {
  const { writer, sent } = setup();
  let done = false;
  const appended = writer.append(entry('a')).then(() => {
    done = true;
  });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(done).toBe(false);
  sent[0]!.acknowledge();
  await appended;
  expect(writer.stats()).toMatchObject({ bufferedEntries: 0, bufferedBytes: 0 });
});

test('the next batch of a partition waits for the acknowledgement of the one before', async () => {
  const { writer, sent } = setup();
  void writer.append(entry('a'));
  await vi.advanceTimersByTimeAsync(10);
  void writer.append(entry('b'));
  await vi.advanceTimersByTimeAsync(500);
  expect(sent).toHaveLength(1);
  sent[0]!.acknowledge();
  await vi.advanceTimersByTimeAsync(10);
  expect(ids(sent[1])).toEqual(['b']);
});

test('tenants of different partitions do not wait for each other', async () => {
  const { writer, sent } = setup({ partitions: 64 });
  void writer.append(entry('a', 'acme'));
  void writer.append(entry('b', 'globex'));
  await vi.advanceTimersByTimeAsync(10);
  expect(sent.map(ids)).toEqual([['a'], ['b']]);
});

test('an entry of a kind that the release before does not know is written beside the others', async () => {
  const { writer, sent } = setup();
  const circuit = { kind: 'circuit', endpointId: 'ep', workerId: 'w', nextProbeAtMs: null, atMs: 0 } as const;
  void writer.append({ ...circuit, tenantId: 'acme' });
  void writer.append(entry('a'));
  await vi.advanceTimersByTimeAsync(10);
  const { entries, newer } = JSON.parse(sent[0]!.record.value!.toString());
  expect(entries.map(({ kind }: JournalEntry) => kind)).toEqual(['dispatched']);
  expect(newer.map(({ kind }: JournalEntry) => kind)).toEqual(['circuit']);
});

test('a full batch goes at once and no record is larger than allowed', async () => {
  const maxBytes = 1_000;
  const { writer, sent } = setup({ maxBytes });
  for (let i = 0; i < 20; i++) void writer.append(entry(`event-${i}`));
  await settle();
  expect(sent).toHaveLength(1);
  for (let i = 0; i < sent.length; i++) {
    expect(sent[i]!.record.value!.length).toBeLessThanOrEqual(maxBytes);
    sent[i]!.acknowledge();
    await vi.advanceTimersByTimeAsync(10);
  }
  expect(sent.flatMap((each) => ids(each))).toEqual(Array.from({ length: 20 }, (_, i) => `event-${i}`));
});

test('an entry that fits no batch is refused without touching the others', async () => {
  const { writer, sent } = setup({ maxBytes: 300 });
  void writer.append(entry('a'));
  await expect(writer.append(entry('x'.repeat(300)))).rejects.toMatchObject({ code: 'too_large' });
  await vi.advanceTimersByTimeAsync(10);
  expect(ids(sent[0])).toEqual(['a']);
});

test('beyond the buffer an append is refused, and room comes back with the acknowledgement', async () => {
  const size = Buffer.byteLength(JSON.stringify(entry('a')));
  const { writer, sent } = setup({ maxBufferedBytes: size * 2 });
  const first = Promise.all([writer.append(entry('a')), writer.append(entry('b'))]);
  await expect(writer.append(entry('c'))).rejects.toMatchObject({ code: 'full' });
  await vi.advanceTimersByTimeAsync(10);
  sent[0]!.acknowledge();
  await first;
  void writer.append(entry('c'));
  await vi.advanceTimersByTimeAsync(10);
  expect(ids(sent[1])).toEqual(['c']);
});

test('a batch that fails is sent again, the same and before any other', async () => {
  const { writer, sent } = setup({ retryDelayMs: 100 });
  const appended = writer.append(entry('a'));
  await vi.advanceTimersByTimeAsync(10);
  void writer.append(entry('b'));
  sent[0]!.refuse();
  await vi.advanceTimersByTimeAsync(100);
  expect(ids(sent[1])).toEqual(['a']);
  sent[1]!.acknowledge();
  await appended;
});

test('a batch whose sends are used up rejects its entries alone', async () => {
  const batches: unknown[] = [];
  const { writer, sent } = setup({ maxSends: 2, retryDelayMs: 100, onBatch: (batch) => batches.push(batch) });
  const lost = expect(writer.append(entry('a'))).rejects.toMatchObject({ code: 'not_written' });
  await vi.advanceTimersByTimeAsync(10);
  sent[0]!.refuse();
  await vi.advanceTimersByTimeAsync(100);
  const kept = writer.append(entry('b'));
  sent[1]!.refuse();
  await lost;
  await vi.advanceTimersByTimeAsync(10);
  sent[2]!.acknowledge();
  await kept;
  expect(batches).toMatchObject([
    { entries: 1, sends: 2, acknowledged: false },
    { entries: 1, sends: 1, acknowledged: true },
  ]);
  expect(writer.stats().bufferedEntries).toBe(0);
});

test('stopping writes what is buffered without delay and refuses what comes after', async () => {
  const { writer, sent } = setup();
  const appended = writer.append(entry('a'));
  const stopped = writer.stop();
  await settle();
  expect(ids(sent[0])).toEqual(['a']);
  await expect(writer.append(entry('b'))).rejects.toMatchObject({ code: 'stopped' });
  sent[0]!.acknowledge();
  await Promise.all([appended, stopped, writer.stop()]);
});
