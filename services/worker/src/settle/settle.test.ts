import type { JournalEntry, Outcome } from '@posthorn/contracts';
import { decodeDeadLetter, decodeDelivery, decodeEvent, decodeWait, topicNames } from '@posthorn/contracts';
import type { OutboundRecord } from '@posthorn/kafka';
import { createLogger, createMetrics } from '@posthorn/runtime';
import { createFakeClock } from '@posthorn/testkit';
import { expect, test } from 'vitest';
import { LANE, makeMade, makeSlot, NOW, TENANT } from '../../test/factories.ts';
import { createWorkerMetrics } from '../metrics.ts';
import { createSettle } from './settle.ts';

const failure: Outcome = {
  kind: 'failure',
  failure: 'http_5xx',
  status: 503,
  detail: 'HTTP 503',
  retryAfterMs: null,
};

/** Settles with a broker whose acknowledgements are given by hand. */
function setup() {
  const clock = createFakeClock(NOW);
  const order: string[] = [];
  const produced: OutboundRecord[] = [];
  const journaled: JournalEntry[] = [];
  const lines: Record<string, unknown>[] = [];
  const produceAck = Promise.withResolvers<void>();
  const journalAck = Promise.withResolvers<void>();
  const settle = createSettle({
    layout: {
      topics: topicNames('p.'),
      tiers: [
        { name: '1s', delayMs: 1_000 },
        { name: '4s', delayMs: 4_000 },
      ],
      lanes: 16,
      deadLetterPartitions: 1,
    },
    policy: { scheduleMs: [1_000, 4_000], jitterPercent: 0 },
    clock,
    log: createLogger('worker', 'info', { write: (line: string) => void lines.push(JSON.parse(line)) }),
    metrics: createWorkerMetrics(createMetrics('worker'), clock),
    acknowledger: {
      untilAcknowledged: (write) =>
        write().then(
          () => true,
          () => false,
        ),
    },
    async produce(record) {
      produced.push(record);
      order.push('produced');
      await produceAck.promise;
      order.push('produce acknowledged');
    },
    async journal(entry) {
      journaled.push(entry);
      order.push('journaled');
      await journalAck.promise;
      order.push('journal acknowledged');
    },
  });
  return { settle, order, produced, journaled, lines, produceAck, journalAck };
}
type Bundle = ReturnType<typeof setup>;
const acknowledgeAll = ({ produceAck, journalAck }: Bundle) => {
  produceAck.resolve();
  journalAck.resolve();
};

test('a success is journaled, and its slot completed only after the acknowledgement', async () => {
  const bundle = setup();
  const { slot, record } = makeSlot();
  const settled = bundle.settle(slot, { kind: 'attempted', made: makeMade() });
  await Promise.resolve();
  expect(bundle.journaled).toMatchObject([
    { kind: 'attempted', state: 'success', failure: null, status: 200, durationMs: 12, responseBody: null },
  ]);
  expect(record.completed).toEqual([]);
  acknowledgeAll(bundle);
  await settled;
  expect(record.completed).toEqual([0]);
  expect(bundle.produced).toEqual([]);
});

test('a retry is acknowledged before it is journaled, and both before its slot is completed', async () => {
  const bundle = setup();
  const { slot, record } = makeSlot();
  const settled = bundle.settle(slot, { kind: 'attempted', made: makeMade({ outcome: failure }) });
  await Promise.resolve();
  expect(bundle.order).toEqual(['produced']);
  bundle.produceAck.resolve();
  await expect.poll(() => bundle.order).toEqual(['produced', 'produce acknowledged', 'journaled']);
  expect(record.completed).toEqual([]);
  bundle.journalAck.resolve();
  await settled;
  expect(record.completed).toEqual([0]);
});

test('a retry asks for the next attempt of one slot, with the event and its bytes untouched', async () => {
  const bundle = setup();
  acknowledgeAll(bundle);
  const { slot } = makeSlot({ slots: twoEndpoints, attempt: 2, extra: { ph_bounces: '3' } });
  await bundle.settle(slot, { kind: 'attempted', made: makeMade({ outcome: failure }) });
  const [record] = bundle.produced;
  expect(record).toMatchObject({ topic: 'p.retry.4s', partition: LANE % 4, key: TENANT });
  expect(record!.value).toBe(slot.work.payload);
  expect(decodeEvent(record!.headers)).toEqual(slot.work.event);
  expect(decodeDelivery(record!.headers)).toEqual({
    slots: [twoEndpoints[0]],
    run: 0,
    round: 0,
    attempt: 3,
    lane: LANE,
  });
  expect(decodeWait(record!.headers)).toEqual({ delayMs: 4_000, returnTo: 'deliveries', bounces: 0 });
  expect(bundle.journaled).toMatchObject([
    { state: 'processing', attempt: 2, nextDueAtMs: NOW + 4_000, failure: 'http_5xx', error: 'HTTP 503' },
  ]);
});
const twoEndpoints = [`ep_${'1'.repeat(32)}`, `ep_${'2'.repeat(32)}`];

test('a retry comes back to the lane its tenant has now', async () => {
  const bundle = setup();
  acknowledgeAll(bundle);
  const { slot } = makeSlot();
  await bundle.settle(slot, { kind: 'attempted', made: makeMade({ outcome: failure, lanes: [9] }) });
  expect(decodeDelivery(bundle.produced[0]!.headers).lane).toBe(9);
  expect(bundle.produced[0]!.partition).toBe(9 % 4);
});

test('the last failure ends in the dead letters with what is known of it', async () => {
  const bundle = setup();
  acknowledgeAll(bundle);
  const { slot, record } = makeSlot({ attempt: 3 });
  await bundle.settle(slot, { kind: 'attempted', made: makeMade({ outcome: failure }) });
  const [dead] = bundle.produced;
  expect(dead).toMatchObject({ topic: 'p.dead-letters', partition: 0, key: TENANT });
  expect(dead!.value).toBe(slot.work.payload);
  expect(decodeDeadLetter(dead!.headers)).toEqual({
    reason: 'attempts_exhausted',
    lastFailure: 'http_5xx',
    lastStatus: 503,
    lastError: 'HTTP 503',
    attempts: 3,
    failedAtMs: NOW,
  });
  expect(decodeDelivery(dead!.headers)).toMatchObject({ slots: [slot.endpointId], attempt: 3 });
  expect(bundle.journaled).toMatchObject([{ state: 'failed', nextDueAtMs: null }]);
  expect(record.completed).toEqual([0]);
});

test('an endpoint that is gone is dead-lettered at its first attempt', async () => {
  const bundle = setup();
  acknowledgeAll(bundle);
  const gone: Outcome = { ...failure, failure: 'gone', status: 410 };
  await bundle.settle(makeSlot().slot, { kind: 'attempted', made: makeMade({ outcome: gone }) });
  expect(decodeDeadLetter(bundle.produced[0]!.headers)).toMatchObject({ reason: 'endpoint_gone' });
});

test('a cancelled delivery leaves a journal entry with its reason and no record', async () => {
  const bundle = setup();
  acknowledgeAll(bundle);
  const { slot, record } = makeSlot();
  await bundle.settle(slot, { kind: 'cancelled', reason: 'endpoint_deleted' });
  expect(bundle.journaled).toMatchObject([
    { kind: 'cancelled', reason: 'endpoint_deleted', endpointId: slot.endpointId, attempt: 1 },
  ]);
  expect(bundle.produced).toEqual([]);
  expect(record.completed).toEqual([0]);
  expect(bundle.lines).toMatchObject([{ msg: 'delivery cancelled', reason: 'endpoint_deleted' }]);
});

test('a slot that is put aside burns no attempt, waits twice as long each time, and leaves no entry', async () => {
  const bundle = setup();
  acknowledgeAll(bundle);
  const { slot, record } = makeSlot({ attempt: 2, extra: { ph_bounces: '1' } });
  await bundle.settle(slot, { kind: 'aside', lanes: null });
  const [record1] = bundle.produced;
  expect(record1!.topic).toBe('p.retry.1s');
  expect(decodeWait(record1!.headers)).toEqual({ delayMs: 2_000, returnTo: 'deliveries', bounces: 2 });
  expect(decodeDelivery(record1!.headers)).toMatchObject({ attempt: 2, lane: LANE });
  expect(bundle.journaled).toEqual([]);
  expect(record.completed).toEqual([0]);
});

test('a failure of a lane that was lost starts no second chain: its new owner has the slot', async () => {
  const bundle = setup();
  acknowledgeAll(bundle);
  const { slot, record } = makeSlot();
  record.live = false;
  await bundle.settle(slot, { kind: 'attempted', made: makeMade({ outcome: failure }) });
  expect(bundle.produced).toEqual([]);
  expect(bundle.journaled).toMatchObject([{ state: 'processing', nextDueAtMs: null }]);
  expect(record.completed).toEqual([]);
});

test('a slot whose retry was not acknowledged stays unfinished', async () => {
  const bundle = setup();
  bundle.produceAck.reject(new Error('no broker'));
  bundle.journalAck.resolve();
  const { slot, record } = makeSlot();
  await bundle.settle(slot, { kind: 'attempted', made: makeMade({ outcome: failure }) });
  expect(record.completed).toEqual([]);
});

test.each<[string, Outcome, number, number]>([
  ['1 KB of a success', { kind: 'success', status: 200 }, 1_024, 20_000],
  ['16 KB of a failure', failure, 16_384, 20_000],
  ['all of a short failure', failure, 10, 10],
])('the journal keeps %s', async (_name, outcome, kept, sent) => {
  const bundle = setup();
  acknowledgeAll(bundle);
  const made = makeMade({ outcome, body: Buffer.alloc(sent, 0x61) });
  await bundle.settle(makeSlot().slot, { kind: 'attempted', made });
  const [entry] = bundle.journaled;
  if (entry?.kind !== 'attempted') throw new Error('an attempt is journaled');
  expect(Buffer.from(entry.responseBody!, 'base64')).toEqual(Buffer.alloc(kept, 0x61));
});

test.each<[number, Outcome, object]>([
  [1, { kind: 'success', status: 204 }, { msg: 'delivery succeeded', status: 204 }],
  [1, failure, { msg: 'delivery retrying', failure: 'http_5xx', next_due_at: '2026-11-22T12:00:01.000Z' }],
  [3, failure, { msg: 'delivery dead-lettered', reason: 'attempts_exhausted', attempts: 3 }],
])('attempt %i leaves one line with all ids', async (attempt, outcome, expected) => {
  const bundle = setup();
  acknowledgeAll(bundle);
  const { slot } = makeSlot({ attempt });
  await bundle.settle(slot, { kind: 'attempted', made: makeMade({ outcome }) });
  expect(bundle.lines).toHaveLength(1);
  expect(bundle.lines[0]).toMatchObject({
    level: 'info',
    tenant_id: TENANT,
    event_id: slot.work.event.eventId,
    delivery_id: 'delivery',
    webhook_id: slot.endpointId,
    trace_id: '0af7651916cd43dd8448eb211c80319c',
    attempt,
    duration_ms: 12,
    ...expected,
  });
});
