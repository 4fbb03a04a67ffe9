import { decodeDeadLetter, decodeDelivery, decodeWait, effortOf, hasValidMac } from '@posthorn/contracts';
import { expect, test } from 'vitest';
import { LANE, makeSlot } from '../../test/factories.ts';
import { acknowledgeAll, circuitOpen, MAC_KEY, setup } from '../../test/settle-setup.ts';

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
