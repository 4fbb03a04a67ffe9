import { type DeliveryState, decodeDelivery, decodeEvent, deriveDeliveryId } from '@posthorn/contracts';
import type { Lookup } from '@posthorn/tenant-config';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fakeLog, fakeSetAside, tenantConfig } from '../../test/fakes.ts';
import { asked, endpointId, event, fakeStore, neighbourId, setupReplays } from '../../test/replays.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a dead letter starts its next round: same id, attempt 1, bytes as they were', async () => {
  const { replay, stand, producer, entries, lines, results } = setupReplays();
  stand(endpointId, 'failed', 0, 2);
  const record = await replay();
  const [out] = producer.sent;
  expect(out).toMatchObject({ topic: 'deliveries', partition: 3, key: 'acme' });
  expect(out!.value).toBe(record.value);
  expect(decodeDelivery(out!.headers)).toEqual({
    slots: [endpointId],
    run: 0,
    round: 3,
    attempt: 1,
    lane: 3,
  });
  expect(decodeEvent(out!.headers)).toEqual(event);
  expect(out!.headers).not.toHaveProperty('ph_reason');
  const deliveryId = deriveDeliveryId(event.eventId, endpointId, 0);
  expect(entries).toMatchObject([{ kind: 'replayed', deliveryId, endpointId, run: 0, round: 3 }]);
  expect(lines).toMatchObject([
    {
      level: 'info',
      message: 'delivery replayed',
      fields: { tenant_id: 'acme', event_id: event.eventId, delivery_id: deliveryId, webhook_id: endpointId },
    },
  ]);
  expect(record.completed).toBe(true);
  expect(results).toEqual(['next_round']);
});

test.each(['success', 'cancelled'] as const)('what is %s starts a new run with a new id', async (state) => {
  const { replay, stand, producer, replays } = setupReplays();
  stand(endpointId, state, 1, 4);
  await replay();
  expect(decodeDelivery(producer.sent[0]!.headers)).toMatchObject({ run: 2, round: 0, attempt: 1 });
  expect(replays).toMatchObject([
    {
      deliveryId: deriveDeliveryId(event.eventId, endpointId, 2),
      previousDeliveryId: deriveDeliveryId(event.eventId, endpointId, 1),
      source: { topic: 'replay', partition: 1, offset: 7 },
    },
  ]);
});

test.each(['pending', 'processing', 'scheduled'] as const)(
  'what is %s is refused, visibly',
  async (state) => {
    const { replay, stand, producer, replays, lines } = setupReplays();
    stand(endpointId, state);
    const record = await replay();
    expect(producer.sent).toEqual([]);
    expect(replays).toMatchObject([{ state: 'refused', reason: 'under_way' }]);
    expect(lines).toMatchObject([
      { level: 'warn', message: 'replay refused', fields: { reason: 'under_way' } },
    ]);
    expect(record.completed).toBe(true);
  },
);

test('of several endpoints each is decided for itself', async () => {
  const { replay, stand, producer, results } = setupReplays();
  stand(endpointId, 'failed');
  stand(neighbourId, 'processing');
  await replay(asked([endpointId, neighbourId, endpointId]));
  expect(producer.sent.map((each) => each.headers.ph_slots)).toEqual([endpointId]);
  expect(results).toEqual(['next_round', 'refused']);
});

test('the same record read twice makes one round', async () => {
  const { replay, stand, producer, replays } = setupReplays();
  stand(endpointId, 'failed');
  await replay();
  const again = await replay();
  expect(replays).toHaveLength(1);
  // A crash may have come between claim and publish, so it is published again, as the same round.
  expect(producer.sent.map((each) => decodeDelivery(each.headers).round)).toEqual([1, 1]);
  expect(again.completed).toBe(true);
});

test.each<[string, DeliveryState, number, number, number]>([
  ['its round was tried', 'processing', 0, 1, 1],
  ['its round failed again', 'failed', 0, 1, 1],
  ['a later round was opened', 'pending', 0, 2, 1],
  ['its round is recorded but not tried', 'pending', 0, 1, 2],
])('a record read again after %s', async (_, state, run, round, published) => {
  const { replay, stand, producer } = setupReplays();
  stand(endpointId, 'failed');
  await replay();
  stand(endpointId, state, run, round);
  const again = await replay();
  expect(producer.sent).toHaveLength(published);
  expect(again.completed).toBe(true);
});

test('what was refused is refused again, whatever has become of the delivery since', async () => {
  const { replay, stand, producer } = setupReplays();
  stand(endpointId, 'processing');
  await replay();
  stand(endpointId, 'failed');
  await replay();
  expect(producer.sent).toEqual([]);
});

test('two records that ask for one round make one', async () => {
  const { replay, stand, producer, replays, results } = setupReplays();
  stand(endpointId, 'failed');
  await replay(asked([endpointId], 7));
  await replay(asked([endpointId], 8));
  expect(producer.sent).toHaveLength(1);
  expect(replays.map((each) => each.reason)).toEqual([null, 'already_replayed']);
  expect(results).toEqual(['next_round', 'refused']);
});

test('a claim that another reader of the same record made meanwhile is shared', async () => {
  const bundle = setupReplays();
  bundle.stand(endpointId, 'failed');
  await Promise.all([bundle.replay(), bundle.replay()]);
  expect(bundle.replays).toHaveLength(1);
  expect(bundle.producer.sent.map((each) => decodeDelivery(each.headers).round)).toEqual([1, 1]);
});

test('a delivery that is not recorded yet is waited for', async () => {
  const { replay, stand, producer } = setupReplays();
  const record = await replay();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(record.completed).toBe(false);
  stand(endpointId, 'failed');
  await vi.advanceTimersByTimeAsync(2_000);
  expect(producer.sent).toHaveLength(1);
  expect(record.completed).toBe(true);
});

test('a flood of what nobody records holds up nobody else', async () => {
  const { replay, stand, producer, results } = setupReplays();
  for (let offset = 100; offset < 160; offset++) await replay(asked([neighbourId], offset));
  stand(endpointId, 'failed');
  const record = await replay();
  expect(producer.sent).toHaveLength(1);
  expect(record.completed).toBe(true);
  // A tenant has a quarter of the eight places: those before were refused to make room.
  expect(results.filter((result) => result === 'refused')).toHaveLength(58);
});

test('of several endpoints those that are recorded go on, the others are waited for', async () => {
  const { replay, stand, producer, results } = setupReplays();
  stand(endpointId, 'failed');
  const record = await replay(asked([endpointId, neighbourId]));
  expect([producer.sent.length, record.completed]).toEqual([1, false]);
  stand(neighbourId, 'success');
  await vi.advanceTimersByTimeAsync(2_000);
  expect(producer.sent.map((each) => each.headers.ph_slots)).toEqual([endpointId, neighbourId]);
  expect([results, record.completed]).toEqual([['next_round', 'next_run'], true]);
});

test('a job that comes to a delivery twice replays it once, also when that failed again meanwhile', async () => {
  const { replay, stand, producer, replays } = setupReplays();
  stand(endpointId, 'failed', 0, 1);
  await replay(asked([endpointId], 7, { ph_expect: '0,1' }));
  stand(endpointId, 'failed', 0, 2);
  await replay(asked([endpointId], 8, { ph_expect: '0,1' }));
  expect(producer.sent).toHaveLength(1);
  expect(replays.map(({ reason }) => reason)).toEqual([null, 'already_replayed']);
});

test('what was never sent is sent as a first delivery, once, and journaled as dispatched', async () => {
  const { replay, stand, producer, entries, results } = setupReplays();
  await replay(asked([endpointId], 7, { ph_missing: 'true' }));
  await replay(asked([endpointId], 8, { ph_missing: 'true' }));
  expect(producer.sent.map((each) => decodeDelivery(each.headers))).toEqual([
    { slots: [endpointId], run: 0, round: 0, attempt: 1, lane: 3 },
  ]);
  expect(entries).toMatchObject([{ kind: 'dispatched', endpointIds: [endpointId] }]);
  stand(endpointId, 'success');
  await replay(asked([endpointId], 9, { ph_missing: 'true' }));
  expect(results).toEqual(['first', 'refused', 'refused']);
  expect(producer.sent).toHaveLength(1);
});

test('a replay of the API keeps the revision at which it was asked for, a copy gets that of now', async () => {
  const config = tenantConfig(0, { revision: 40 });
  const { replay, stand, producer } = setupReplays({
    configs: { get: async () => ({ kind: 'found', config }) },
  });
  stand(endpointId, 'failed');
  await replay(asked([endpointId], 7, { ph_revision: '33' }));
  const copy = asked([endpointId], 8);
  delete copy.headers.ph_replay_id;
  await replay(copy);
  expect(producer.sent.map((each) => each.headers.ph_revision)).toEqual(['33']);
  stand(endpointId, 'failed', 0, 1);
  const another = asked([endpointId], 9);
  delete another.headers.ph_replay_id;
  await replay(another);
  expect(producer.sent.map((each) => each.headers.ph_revision)).toEqual(['33', '40']);
});

test('while postgres is away a record that is set aside waits for its row', async () => {
  let up = false;
  const { log } = fakeLog();
  const keep = () => (up ? Promise.resolve() : Promise.reject(new Error('connection refused')));
  const { setAside } = fakeSetAside('replay', log, { keep, maxTryMs: Number.POSITIVE_INFINITY });
  const { replay } = setupReplays({ setAside });
  const record = await replay(asked([endpointId], 7, { ph_mac: 'forged' }));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(record.completed).toBe(false);
  up = true;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(record.completed).toBe(true);
});

test('a delivery that nobody records is refused after a bounded wait', async () => {
  const { replay, replays } = setupReplays();
  const record = await replay();
  await vi.advanceTimersByTimeAsync(11_000);
  expect(record.completed).toBe(true);
  expect(replays).toMatchObject([{ state: 'refused', reason: 'unknown_delivery', run: 0, round: 0 }]);
});

test('while postgres is away a replay waits, and what comes on top is refused room', async () => {
  const bundle = setupReplays();
  bundle.stand(endpointId, 'failed');
  bundle.asked.failing = true;
  const records = [7, 8, 9, 10].map((offset) => asked([endpointId], offset));
  for (const record of records) expect(bundle.handler.offer(record)).toBe(true);
  expect(bundle.handler.offer(asked([endpointId], 11))).toBe(false);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(records.some((record) => record.completed)).toBe(false);
  expect(bundle.asked.times).toBeLessThan(4 * 40);
  bundle.asked.failing = false;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(records.every((record) => record.completed)).toBe(true);
  expect(bundle.producer.sent).toHaveLength(1);
});

test('a tenant whose configuration is away is waited for', async () => {
  const answers: Lookup[] = [
    { kind: 'unavailable', reason: 'postgres is away' },
    { kind: 'found', config: tenantConfig(0) },
  ];
  const { replay, stand } = setupReplays({ configs: { get: async () => answers.shift()! } });
  stand(endpointId, 'failed');
  const record = await replay();
  expect(record.completed).toBe(false);
  await vi.advanceTimersByTimeAsync(200);
  expect(record.completed).toBe(true);
});

test('an error about the data itself is no outage: the record is set aside', async () => {
  const bundle = setupReplays({
    store: {
      ...fakeStore().store,
      findReplay: () => Promise.reject(Object.assign(new Error('bad'), { code: '22001' })),
    },
  });
  const record = await bundle.replay();
  expect(bundle.setAsides).toEqual(['internal_error']);
  expect(record.completed).toBe(true);
});

test.each([
  [
    'an unknown tenant',
    {},
    { configs: { get: async () => ({ kind: 'unknown_tenant' as const }) } },
    'unknown_tenant',
  ],
  ['a record that somebody else made', { ph_mac: 'ab'.repeat(32) }, {}, 'bad_mac'],
  ['a record without endpoints', { ph_slots: '' }, {}, 'malformed'],
  ['a record without an event', { ce_id: '' }, {}, 'malformed'],
])('%s is set aside, and the partition advances', async (_, headers, options, reason) => {
  const { replay, setAsides } = setupReplays(options);
  const record = await replay(asked([endpointId], 7, headers));
  expect(setAsides).toEqual([reason]);
  expect(record.completed).toBe(true);
});

test('a replay that another process owns now is left to it', async () => {
  const { replay, handler, stand, producer, setAsides } = setupReplays();
  stand(endpointId, 'failed');
  const record = asked();
  record.live = false;
  await replay(record);
  handler.lost();
  expect([record.completed, producer.sent.length, setAsides.length]).toEqual([false, 0, 0]);
});
