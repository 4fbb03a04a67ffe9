import {
  type DeliveryState,
  decodeDelivery,
  decodeEvent,
  deriveDeliveryId,
  encodeEvent,
  type JournalEntry,
  mintEndpointId,
} from '@posthorn/contracts';
import type { NewReplay, ReplayRow } from '@posthorn/db';
import { systemClock } from '@posthorn/runtime';
import type { Lookup } from '@posthorn/tenant-config';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  eventMeta,
  type FakeRecord,
  fakeLog,
  fakeProducer,
  fakeRecord,
  noTracing,
  tenantConfig,
} from '../../test/fakes.ts';
import { createInFlight } from '../in-flight.ts';
import { createSend } from '../send.ts';
import { createSetAside } from '../set-aside.ts';
import { createReplays, type ReplayOptions } from './consume-replays.ts';
import type { ReplayStore } from './replay-store.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const event = eventMeta();
const [endpointId, neighbourId] = [mintEndpointId(1), mintEndpointId(2)];

/** What Postgres does with claims, in memory: unique by source and endpoint, and by delivery and round. */
function fakeStore() {
  const standings = new Map<
    string,
    { run: number; round: number; state: DeliveryState; deliveryId: string }
  >();
  const replays: Array<NewReplay & Pick<ReplayRow, 'state' | 'reason'>> = [];
  const asked = { times: 0, failing: false };
  const sourceOf = (replay: Pick<NewReplay, 'source' | 'endpointId'>) =>
    JSON.stringify([replay.source, replay.endpointId]);
  const row = (replay: (typeof replays)[number]): ReplayRow => ({ ...replay, createdAt: new Date(0) });
  const answer = <T>(value: () => T): Promise<T> => {
    asked.times += 1;
    return asked.failing ? Promise.reject(new Error('connection refused')) : Promise.resolve(value());
  };
  const findMine = (source: NewReplay['source'], endpoint: string) =>
    replays.find((each) => sourceOf(each) === sourceOf({ source, endpointId: endpoint }));
  const store: ReplayStore = {
    findStanding: (_tenant, _event, endpoint) => answer(() => standings.get(endpoint)),
    findReplay: (source, endpoint) =>
      answer(() => {
        const mine = findMine(source, endpoint);
        return mine ? row(mine) : null;
      }),
    claim: (replay) =>
      answer(() => {
        const mine = findMine(replay.source, replay.endpointId);
        if (mine) return { kind: 'mine', replay: row(mine) };
        const taken = replays.some(
          (each) =>
            each.state === 'dispatched' &&
            each.deliveryId === replay.deliveryId &&
            each.round === replay.round,
        );
        if (taken) return { kind: 'taken' };
        replays.push({ ...replay, state: 'dispatched', reason: null });
        return { kind: 'claimed' };
      }),
    refuse: (replay, reason) => answer(() => void replays.push({ ...replay, state: 'refused', reason })),
  };
  const stand = (endpoint: string, state: DeliveryState, run = 0, round = 0) =>
    standings.set(endpoint, {
      state,
      run,
      round,
      deliveryId: deriveDeliveryId(event.eventId, endpoint, run),
    });
  return { store, stand, replays, asked };
}

function setup(options: Partial<ReplayOptions> = {}) {
  const producer = fakeProducer();
  const { log, lines } = fakeLog();
  const entries: JournalEntry[] = [];
  const setAsides: string[] = [];
  const results: string[] = [];
  const fake = fakeStore();
  const inFlight = createInFlight({ maxRecords: 4, maxBytes: 1e6, resume: () => undefined });
  const handler = createReplays({
    store: fake.store,
    clock: systemClock,
    log,
    maxUnknownWaitMs: 10_000,
    configs: { get: async () => ({ kind: 'found', config: tenantConfig(0, { lanes: [3] }) }) },
    inFlight,
    send: createSend({ producer, mayAct: () => true, log, onRetry: () => undefined }),
    journal: { append: async (entry: JournalEntry) => void entries.push(entry) } as never,
    deliveriesTopic: 'deliveries',
    setAside: createSetAside('replay', log, (_, reason) => setAsides.push(reason)),
    tracing: noTracing,
    observe: (result) => results.push(result),
    ...options,
  });
  const replay = async (record: FakeRecord = asked()) => {
    expect(handler.offer(record)).toBe(true);
    await vi.advanceTimersByTimeAsync(0);
    return record;
  };
  return { ...fake, handler, inFlight, producer, lines, entries, setAsides, results, replay };
}

const asked = (slots: string[] = [endpointId], offset = 7, headers: Record<string, string> = {}) =>
  fakeRecord({
    topic: 'replay',
    partition: 1,
    offset,
    headers: { ...encodeEvent(event), ph_slots: slots.join(), ph_reason: 'attempts_exhausted', ...headers },
  });

test('a dead letter starts its next round: same id, attempt 1, bytes as they were', async () => {
  const { replay, stand, producer, entries, lines, results } = setup();
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
  const { replay, stand, producer, replays } = setup();
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
    const { replay, stand, producer, replays, lines } = setup();
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
  const { replay, stand, producer, results } = setup();
  stand(endpointId, 'failed');
  stand(neighbourId, 'processing');
  await replay(asked([endpointId, neighbourId, endpointId]));
  expect(producer.sent.map((each) => each.headers.ph_slots)).toEqual([endpointId]);
  expect(results).toEqual(['next_round', 'refused']);
});

test('the same record read twice makes one round', async () => {
  const { replay, stand, producer, replays } = setup();
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
  const { replay, stand, producer } = setup();
  stand(endpointId, 'failed');
  await replay();
  stand(endpointId, state, run, round);
  const again = await replay();
  expect(producer.sent).toHaveLength(published);
  expect(again.completed).toBe(true);
});

test('what was refused is refused again, whatever has become of the delivery since', async () => {
  const { replay, stand, producer } = setup();
  stand(endpointId, 'processing');
  await replay();
  stand(endpointId, 'failed');
  await replay();
  expect(producer.sent).toEqual([]);
});

test('two records that ask for one round make one', async () => {
  const { replay, stand, producer, replays, results } = setup();
  stand(endpointId, 'failed');
  await replay(asked([endpointId], 7));
  await replay(asked([endpointId], 8));
  expect(producer.sent).toHaveLength(1);
  expect(replays.map((each) => each.reason)).toEqual([null, 'already_replayed']);
  expect(results).toEqual(['next_round', 'refused']);
});

test('a claim that another reader of the same record made meanwhile is shared', async () => {
  const bundle = setup();
  bundle.stand(endpointId, 'failed');
  await Promise.all([bundle.replay(), bundle.replay()]);
  expect(bundle.replays).toHaveLength(1);
  expect(bundle.producer.sent.map((each) => decodeDelivery(each.headers).round)).toEqual([1, 1]);
});

test('a delivery that is not recorded yet is waited for', async () => {
  const { replay, stand, producer } = setup();
  const record = await replay();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(record.completed).toBe(false);
  stand(endpointId, 'failed');
  await vi.advanceTimersByTimeAsync(500);
  expect(producer.sent).toHaveLength(1);
  expect(record.completed).toBe(true);
});

test('a delivery that nobody records is refused after a bounded wait', async () => {
  const { replay, replays } = setup();
  const record = await replay();
  await vi.advanceTimersByTimeAsync(11_000);
  expect(record.completed).toBe(true);
  expect(replays).toMatchObject([{ state: 'refused', reason: 'unknown_delivery', run: 0, round: 0 }]);
});

test('while postgres is away a replay waits, and what comes on top is refused room', async () => {
  const bundle = setup();
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
  const { replay, stand } = setup({ configs: { get: async () => answers.shift()! } });
  stand(endpointId, 'failed');
  const record = await replay();
  expect(record.completed).toBe(false);
  await vi.advanceTimersByTimeAsync(200);
  expect(record.completed).toBe(true);
});

test('an error about the data itself is no outage: the record is set aside', async () => {
  const bundle = setup({
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
  ['a record without endpoints', { ph_slots: '' }, {}, 'malformed'],
  ['a record without an event', { ce_id: '' }, {}, 'malformed'],
])('%s is set aside, and the partition advances', async (_, headers, options, reason) => {
  const { replay, setAsides } = setup(options);
  const record = await replay(asked([endpointId], 7, headers));
  expect(setAsides).toEqual([reason]);
  expect(record.completed).toBe(true);
});

test('a replay that another process owns now is left to it', async () => {
  const { replay, handler, stand, producer, setAsides } = setup();
  stand(endpointId, 'failed');
  const record = asked();
  record.live = false;
  await replay(record);
  handler.lost();
  expect([record.completed, producer.sent.length, setAsides.length]).toEqual([false, 0, 0]);
});
