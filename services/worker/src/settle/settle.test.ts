import {
  decodeDeadLetter,
  decodeDelivery,
  decodeEvent,
  decodeWait,
  effortOf,
  hasValidMac,
  type Outcome,
} from '@posthorn/contracts';
import { expect, test } from 'vitest';
import { LANE, makeMade, makeSlot, NOW, TENANT } from '../../test/factories.ts';
import { acknowledgeAll, circuitOpen, failure, MAC_KEY, setup } from '../../test/settle-setup.ts';

const twoEndpoints = [`ep_${'1'.repeat(32)}`, `ep_${'2'.repeat(32)}`];

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
