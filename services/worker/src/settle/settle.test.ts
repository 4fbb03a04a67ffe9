import type { JournalEntry, Outcome } from '@posthorn/contracts';
import {
  decodeDeadLetter,
  decodeDelivery,
  decodeEvent,
  decodeSettled,
  decodeWait,
  deriveMacKey,
  effortOf,
  hasValidMac,
  topicNames,
} from '@posthorn/contracts';
import type { OutboundRecord } from '@posthorn/kafka';
import { createLogger, createMetrics } from '@posthorn/runtime';
import { createFakeClock } from '@posthorn/testkit';
import { describe, expect, test } from 'vitest';
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

const MAC_KEY = deriveMacKey(Buffer.alloc(32, 7));
const waits = {
  circuitLeastWaitMs: 1_000,
  circuitMaxWaitMs: 10_000,
  circuitLeastBudgetMs: 8_000,
  pauseFirstWaitMs: 1_000,
  pauseMaxWaitMs: 10_000,
};

/** Settles with a broker whose acknowledgements are given by hand. */
function setup() {
  const clock = createFakeClock(NOW);
  const order: string[] = [];
  const produced: OutboundRecord[] = [];
  const producedHeld: OutboundRecord[] = [];
  const journaled: JournalEntry[] = [];
  const remembered: string[] = [];
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
      macKey: MAC_KEY,
    },
    policy: { scheduleMs: [1_000, 4_000], jitterPercent: 0, ...waits },
    repeats: {
      settled: (_work, index, succeeded) => void remembered.push(`settled ${index} ${succeeded}`),
      forget(_work, index) {
        remembered.push(`forgotten ${index}`);
        order.push('forgotten');
      },
    },
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
    async produceHeld(record) {
      producedHeld.push(record);
      order.push(record.topic === 'p.overflow' ? 'announced' : 'produced held');
      await produceAck.promise;
    },
    async journal(entry) {
      journaled.push(entry);
      order.push('journaled');
      await journalAck.promise;
      order.push('journal acknowledged');
    },
  });
  return { settle, order, produced, producedHeld, journaled, remembered, lines, produceAck, journalAck };
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
  const made = makeMade({ outcome: gone, urlHash: 'abcd' });
  await bundle.settle(makeSlot().slot, { kind: 'attempted', made });
  expect(decodeDeadLetter(bundle.produced[0]!.headers)).toMatchObject({ reason: 'endpoint_gone' });
  expect(bundle.journaled).toMatchObject([{ kind: 'attempted', state: 'failed', urlHash: 'abcd' }]);
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
  await bundle.settle(slot, { kind: 'aside', reason: 'unavailable', lanes: null });
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

test('a dead letter says by its MAC that tenant, event, endpoint and payload are untouched', async () => {
  const bundle = setup();
  acknowledgeAll(bundle);
  const { slot } = makeSlot({ slots: twoEndpoints, attempt: 3 });
  await bundle.settle(slot, { kind: 'attempted', made: makeMade({ outcome: failure }) });
  const { headers, value } = bundle.produced[0]!;
  expect(hasValidMac(MAC_KEY, headers, value!)).toBe(true);
  expect(hasValidMac(MAC_KEY, { ...headers, ph_slots: twoEndpoints[1]! }, value!)).toBe(false);
});

test('a retry carries what its round has spent: the waits and the attempts before it', async () => {
  const bundle = setup();
  acknowledgeAll(bundle);
  const { slot } = makeSlot({ attempt: 2, extra: { ph_spent_ms: '1100', ph_circuit_ms: '64000' } });
  await bundle.settle(slot, { kind: 'attempted', made: makeMade({ outcome: failure, durationMs: 30 }) });
  expect(effortOf(bundle.produced[0]!.headers)).toEqual({ spentMs: 1_100 + 30 + 4_000, circuitMs: 64_000 });
});

test('a wait beyond the time budget of the round is a dead letter, whose replay starts with nothing spent', async () => {
  const bundle = setup();
  acknowledgeAll(bundle);
  const { slot } = makeSlot({ attempt: 2, extra: { ph_spent_ms: '1100' } });
  await bundle.settle(slot, {
    kind: 'attempted',
    made: makeMade({ outcome: failure, maxRetryMs: 5_000 }),
  });
  const { topic, headers } = bundle.produced[0]!;
  expect(topic).toBe('p.dead-letters');
  expect(decodeDeadLetter(headers)).toMatchObject({ reason: 'time_exhausted', attempts: 2 });
  expect(effortOf(headers)).toEqual({ spentMs: 0, circuitMs: 0 });
  expect(bundle.journaled).toMatchObject([{ kind: 'attempted', state: 'failed' }]);
});

const circuitOpen = {
  kind: 'circuit_open',
  probeInMs: 300,
  scheduleMs: null,
  maxRetryMs: null,
  lanes: [LANE],
} as const;

test('a slot whose circuit is open waits on a tier: no attempt, no entry, only its circuit budget is spent', async () => {
  const bundle = setup();
  acknowledgeAll(bundle);
  const extra = { ph_spent_ms: '1100', ph_circuit_ms: '1000' };
  const { slot, record } = makeSlot({ attempt: 2, extra });
  await bundle.settle(slot, circuitOpen);
  const { headers } = bundle.produced[0]!;
  expect(decodeWait(headers)).toEqual({ delayMs: 2_000, returnTo: 'deliveries', bounces: 1 });
  expect(decodeDelivery(headers)).toMatchObject({ attempt: 2 });
  expect(effortOf(headers)).toEqual({ spentMs: 1_100, circuitMs: 3_000 });
  expect(bundle.journaled).toEqual([]);
  expect(record.completed).toEqual([0]);
});

test('one that has waited for the whole of its circuit budget is a dead letter without a request', async () => {
  const bundle = setup();
  acknowledgeAll(bundle);
  const { slot, record } = makeSlot({ attempt: 2, extra: { ph_circuit_ms: '8000' } });
  await bundle.settle(slot, circuitOpen);
  expect(bundle.produced).toHaveLength(1);
  const { headers, value } = bundle.produced[0]!;
  expect(decodeDeadLetter(headers)).toMatchObject({
    reason: 'circuit_open',
    lastFailure: 'circuit_open',
    lastStatus: null,
    attempts: 1,
  });
  expect(hasValidMac(MAC_KEY, headers, value!)).toBe(true);
  expect(bundle.journaled).toMatchObject([
    { kind: 'dead_lettered', reason: 'circuit_open', failure: 'circuit_open', attempt: 2 },
  ]);
  expect(bundle.order).toEqual(['produced', 'produce acknowledged', 'journaled', 'journal acknowledged']);
  expect(record.completed).toEqual([0]);
  expect(bundle.lines).toMatchObject([
    { msg: 'delivery dead-lettered', reason: 'circuit_open', attempts: 1 },
  ]);
});

test('what waits for an endpoint that is gone is a dead letter without a request', async () => {
  const bundle = setup();
  acknowledgeAll(bundle);
  await bundle.settle(makeSlot().slot, { kind: 'gone', detail: 'it is gone', lanes: [LANE] });
  expect(decodeDeadLetter(bundle.produced[0]!.headers)).toMatchObject({
    reason: 'endpoint_gone',
    lastError: 'it is gone',
    attempts: 0,
  });
  expect(bundle.journaled).toMatchObject([{ kind: 'dead_lettered', reason: 'endpoint_gone', attempt: 1 }]);
});

test('a paused slot waits twice as long each time, and neither of its budgets runs', async () => {
  const bundle = setup();
  acknowledgeAll(bundle);
  const extra = { ph_bounces: '2', ph_spent_ms: '1100', ph_circuit_ms: '7' };
  const { slot } = makeSlot({ attempt: 3, extra });
  await bundle.settle(slot, { kind: 'aside', reason: 'paused', lanes: [9] });
  const { headers } = bundle.produced[0]!;
  expect(decodeWait(headers)).toMatchObject({ delayMs: 4_000, bounces: 3 });
  expect(decodeDelivery(headers)).toMatchObject({ attempt: 3, lane: 9 });
  expect(effortOf(headers)).toEqual({ spentMs: 1_100, circuitMs: 7 });
});

test('what was journaled is remembered with how it ended', async () => {
  const bundle = setup();
  acknowledgeAll(bundle);
  await bundle.settle(makeSlot().slot, { kind: 'attempted', made: makeMade() });
  await bundle.settle(makeSlot().slot, { kind: 'attempted', made: makeMade({ outcome: failure }) });
  await bundle.settle(makeSlot().slot, { kind: 'cancelled', reason: 'endpoint_deleted' });
  expect(bundle.remembered).toEqual(['settled 0 true', 'settled 0 false', 'settled 0 false']);
});

test('what is moved is forgotten before it goes out, for it comes back', async () => {
  const bundle = setup();
  acknowledgeAll(bundle);
  await bundle.settle(makeSlot().slot, { kind: 'aside', reason: 'paused', lanes: [LANE] });
  await bundle.settle(makeSlot().slot, circuitOpen);
  expect(bundle.remembered).toEqual(['forgotten 0', 'forgotten 0']);
  expect(bundle.order.slice(0, 2)).toEqual(['forgotten', 'produced']);
});

describe('a slot of a lane that was handed over, held by us', () => {
  const heldSlot = (over: Parameters<typeof makeSlot>[0] = {}) => {
    const made = makeSlot(over);
    made.record.live = false;
    made.record.held = true;
    return made;
  };

  test('is settled as always, past the fence, and only then its new owner is told', async () => {
    const bundle = setup();
    const { slot, record } = heldSlot();
    const settled = bundle.settle(slot, { kind: 'attempted', made: makeMade({ outcome: failure }) });
    await Promise.resolve();
    expect(bundle.order).toEqual(['produced held']);
    acknowledgeAll(bundle);
    await settled;
    expect(bundle.order).toEqual(['produced held', 'journaled', 'journal acknowledged', 'announced']);
    const [retry, control] = bundle.producedHeld;
    expect(retry).toMatchObject({ topic: 'p.retry.1s' });
    expect(control).toMatchObject({ topic: 'p.overflow', partition: LANE, key: TENANT });
    expect(decodeSettled(control!.headers)).toEqual({ topic: 'deliveries', offset: 7, slot: 0 });
    expect(control!.value).toHaveLength(0);
    expect(bundle.journaled).toMatchObject([{ state: 'processing', nextDueAtMs: NOW + 1_000 }]);
    expect(bundle.produced).toEqual([]);
    expect(record.completed).toEqual([]);
  });

  test.each<[string, Parameters<Bundle['settle']>[1]]>([
    ['a success', { kind: 'attempted', made: makeMade() }],
    ['a cancellation', { kind: 'cancelled', reason: 'endpoint_deleted' }],
    ['a move', { kind: 'aside', reason: 'paused', lanes: [LANE] }],
  ])('is announced after %s too', async (_what, conclusion) => {
    const bundle = setup();
    acknowledgeAll(bundle);
    await bundle.settle(heldSlot().slot, conclusion);
    expect(decodeSettled(bundle.producedHeld.at(-1)!.headers)).toMatchObject({ slot: 0 });
    expect(bundle.order.at(-1)).toBe('announced');
  });

  test('names the overflow where its record came from there', async () => {
    const bundle = setup();
    acknowledgeAll(bundle);
    const { slot, record } = heldSlot();
    Object.assign(record, { topic: 'p.overflow', offset: 12 });
    await bundle.settle(slot, { kind: 'attempted', made: makeMade() });
    expect(decodeSettled(bundle.producedHeld[0]!.headers)).toEqual({
      topic: 'overflow',
      offset: 12,
      slot: 0,
    });
  });

  test('is left to its new owner when the time for it has passed before the retry could go out', async () => {
    const bundle = setup();
    acknowledgeAll(bundle);
    const { slot, record } = heldSlot();
    record.held = false;
    await bundle.settle(slot, { kind: 'attempted', made: makeMade({ outcome: failure }) });
    expect(bundle.producedHeld).toEqual([]);
    expect(bundle.remembered).toEqual([]);
    expect(bundle.journaled).toMatchObject([{ state: 'processing', nextDueAtMs: null }]);
  });

  test('is not announced when its time has passed meanwhile: the new owner sends it again', async () => {
    const bundle = setup();
    bundle.produceAck.resolve();
    const { slot, record } = heldSlot();
    const settled = bundle.settle(slot, { kind: 'attempted', made: makeMade() });
    record.held = false;
    bundle.journalAck.resolve();
    await settled;
    expect(bundle.producedHeld).toEqual([]);
    expect(record.completed).toEqual([]);
  });

  test('takes the way of the moment: a lane handed over while the journal is written is announced to', async () => {
    const bundle = setup();
    bundle.produceAck.resolve();
    const { slot, record } = makeSlot();
    const settled = bundle.settle(slot, { kind: 'attempted', made: makeMade() });
    record.live = false;
    record.held = true;
    bundle.journalAck.resolve();
    await settled;
    expect(record.completed).toEqual([]);
    expect(bundle.order.at(-1)).toBe('announced');
  });
});
