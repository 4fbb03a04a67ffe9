import {
  type DispatchedEntry,
  decodeDelivery,
  decodeEvent,
  decodeWait,
  encodeEvent,
  tenantPartition,
  tierPartitions,
} from '@posthorn/contracts';
import type { ProduceAck } from '@posthorn/kafka';
import { describe, expect, test } from 'vitest';
import { eventMeta, fakeRecord, gate, TRACEPARENT, tenantConfig } from '../../test/fakes.ts';
import { BROKER_NOW_MS, fanOut, LANES, setUpFanOut as setup } from '../../test/fan-out.ts';

test("an event's deliveries go to its tenant's lane with the bytes and headers of the event", async () => {
  const config = tenantConfig(3);
  const bundle = setup({ findConfig: () => ({ kind: 'found', config }) });
  const event = eventMeta({ labels: { env: 'prod' } });
  const record = await fanOut(bundle, fakeRecord({ headers: { ...encodeEvent(event), ph_bounces: '3' } }));
  const [out, ...more] = bundle.producer.sent;
  expect(more).toEqual([]);
  expect(out).toMatchObject({ topic: 'deliveries', partition: 3, key: 'acme' });
  expect(out!.value).toBe(record.value);
  expect(decodeEvent(out!.headers)).toEqual(event);
  expect(decodeDelivery(out!.headers)).toEqual({
    slots: [...config.endpoints.keys()],
    run: 0,
    round: 0,
    attempt: 1,
    lane: 3,
  });
  expect(out!.headers).not.toHaveProperty('ph_bounces');
  expect(record.completed).toBe(true);
  expect(bundle.observed).toEqual([{ records: 1, slots: 3 }]);
});

test('more endpoints than slots make several records and one journal entry', async () => {
  const bundle = setup({ findConfig: () => ({ kind: 'found', config: tenantConfig(130) }) });
  await fanOut(bundle);
  expect(bundle.producer.sent.map((each) => decodeDelivery(each.headers).slots.length)).toEqual([64, 64, 2]);
  expect(bundle.entries).toHaveLength(1);
  expect(bundle.entries[0]).toMatchObject({ kind: 'dispatched', tenantId: 'acme', retentionDays: 30 });
  expect((bundle.entries[0] as DispatchedEntry).endpointIds).toHaveLength(130);
});

test('an entry names 2,000 endpoints at most', async () => {
  const bundle = setup({ findConfig: () => ({ kind: 'found', config: tenantConfig(2_001) }) });
  await fanOut(bundle);
  const sizes = bundle.entries.map((each) => (each as DispatchedEntry).endpointIds.length);
  expect(sizes).toEqual([2_000, 1]);
});

test('an event that nobody wants is journaled with an empty list and completed', async () => {
  const bundle = setup({ findConfig: () => ({ kind: 'found', config: tenantConfig(0) }) });
  const record = await fanOut(bundle);
  expect(bundle.producer.sent).toEqual([]);
  expect(bundle.entries).toMatchObject([{ kind: 'dispatched', endpointIds: [] }]);
  expect(record.completed).toBe(true);
});

test('a record completes only after the last acknowledgement of what it led to', async () => {
  const written = gate();
  const bundle = setup({
    findConfig: () => ({ kind: 'found', config: tenantConfig(100) }),
    journal: { append: () => written.passed } as never,
  });
  const acks: Array<ReturnType<typeof gate<ProduceAck>>> = [];
  bundle.producer.answer(() => {
    const ack = gate<ProduceAck>();
    acks.push(ack);
    return ack.passed;
  });
  const record = fakeRecord();
  bundle.handler.offer(record);
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  await turn();
  expect(acks).toHaveLength(2);
  const ack = { partition: 3, offset: 0, appendTimeMs: null };
  for (const settle of [() => acks[1]!.open(ack), () => written.open(), () => acks[0]!.open(ack)]) {
    expect(record.completed).toBe(false);
    settle();
    await turn();
  }
  expect(record.completed).toBe(true);
});

test('records beyond the bound are refused and those behind a slow one are not held up', async () => {
  const slow = gate<never>();
  let calls = 0;
  const bundle = setup({
    findConfig: () => (calls++ === 0 ? slow.passed : { kind: 'found', config: tenantConfig(1) }),
  });
  const [first, second, third] = [fakeRecord(), fakeRecord({ offset: 1 }), fakeRecord({ offset: 2 })];
  expect(bundle.handler.offer(first)).toBe(true);
  expect(bundle.handler.offer(second)).toBe(true);
  expect(bundle.handler.offer(third)).toBe(false);
  await new Promise((resolve) => setImmediate(resolve));
  expect([first.completed, second.completed]).toEqual([false, true]);
  bundle.handler.lost();
});

test.each([
  ['without a bounce', {}, 1_000, 1, '1s'],
  ['after two', { ph_bounces: '2' }, 4_000, 3, '4s'],
  ['after many', { ph_bounces: '20' }, 256_000, 21, '256s'],
])(
  'a tenant whose configuration is away: %s the event goes to a tier',
  async (_, headers, delayMs, bounces, tier) => {
    const bundle = setup({ findConfig: () => ({ kind: 'unavailable', reason: 'postgres is away' }) });
    const record = await fanOut(bundle, fakeRecord({ headers: { ...encodeEvent(eventMeta()), ...headers } }));
    const [out] = bundle.producer.sent;
    expect(out).toMatchObject({
      topic: `retry.${tier}`,
      partition: tenantPartition('acme', tierPartitions(LANES)),
      key: 'acme',
    });
    expect(out!.value).toBe(record.value);
    expect(decodeWait(out!.headers)).toEqual({ delayMs, returnTo: 'events', bounces });
    expect(decodeEvent(out!.headers).traceparent).toBe(TRACEPARENT);
    expect(record.completed).toBe(true);
    expect(bundle.entries).toEqual([]);
    expect(bundle.observed).toEqual(['put aside']);
    expect(bundle.lines).toMatchObject([{ level: 'warn', fields: { tenant_id: 'acme', records: 1 } }]);
  },
);

describe('a scheduled event', () => {
  const schedule = async (deliverAtMs: number, config = tenantConfig(3, { lanes: [6] })) => {
    const bundle = setup({ findConfig: () => ({ kind: 'found', config }) });
    const headers = encodeEvent(eventMeta({ deliverAtMs }));
    const record = await fanOut(bundle, fakeRecord({ headers }));
    return { ...bundle, record };
  };

  test('is matched at once, and its deliveries wait on the tier that fits', async () => {
    const { producer, entries, record } = await schedule(BROKER_NOW_MS + 70_000);
    const [out] = producer.sent;
    expect(out).toMatchObject({
      topic: 'retry.64s',
      partition: 6 % tierPartitions(LANES),
      key: 'acme',
    });
    expect(out!.value).toBe(record.value);
    expect(decodeWait(out!.headers)).toEqual({ delayMs: 70_000, returnTo: 'deliveries', bounces: 0 });
    expect(decodeDelivery(out!.headers)).toMatchObject({ run: 0, round: 0, attempt: 1, lane: 6 });
    expect(decodeDelivery(out!.headers).slots).toHaveLength(3);
    expect(entries).toMatchObject([{ kind: 'dispatched', dueAtMs: BROKER_NOW_MS + 70_000 }]);
    expect(record.completed).toBe(true);
  });

  test.each([0, -1, -86_400_000])('that is due (%d ms) goes to its lane at once', async (inMs) => {
    const { producer, entries } = await schedule(BROKER_NOW_MS + inMs);
    expect(producer.sent).toMatchObject([{ topic: 'deliveries', partition: 6 }]);
    expect(producer.sent[0]!.headers).not.toHaveProperty('ph_delay_ms');
    expect(entries[0]).not.toHaveProperty('dueAtMs');
  });

  test('keeps its time while its tenant is not known', async () => {
    const bundle = setup({ findConfig: () => ({ kind: 'unavailable', reason: 'postgres is away' }) });
    const event = eventMeta({ deliverAtMs: BROKER_NOW_MS + 70_000 });
    await fanOut(bundle, fakeRecord({ headers: encodeEvent(event) }));
    expect(decodeEvent(bundle.producer.sent[0]!.headers)).toEqual(event);
  });
});

test.each([
  ['an unknown tenant', {}, { findConfig: () => ({ kind: 'unknown_tenant' as const }) }, 'unknown_tenant'],
  ['a malformed record', { ce_id: 'nonsense' }, {}, 'malformed'],
  [
    'a fault of our own',
    {},
    {
      findConfig: () => ({
        kind: 'found' as const,
        config: { ...tenantConfig(1), endpoints: null as never },
      }),
    },
    'internal_error',
  ],
])(
  '%s is set aside where it can be seen, and the partition advances',
  async (_, headers, options, reason) => {
    const bundle = setup(options);
    const source = { topic: 'events', partition: 2, offset: 77 };
    const record = await fanOut(
      bundle,
      fakeRecord({ ...source, headers: { ...encodeEvent(eventMeta()), ...headers } }),
    );
    expect(record.completed).toBe(true);
    expect(bundle.setAsides).toEqual([reason]);
    expect(bundle.rows).toMatchObject([{ ...source, reason: expect.stringMatching(`^${reason}`) }]);
    expect(bundle.producer.sent).toEqual([]);
    expect(bundle.lines).toMatchObject([
      { level: 'error', message: 'record set aside', fields: { ...source, phase: 'fan_out', reason } },
    ]);
  },
);

test('a record that another process owns now is left to it', async () => {
  const bundle = setup();
  const record = await fanOut(bundle, fakeRecord({ live: false }));
  expect(record.completed).toBe(false);
  expect(bundle.producer.sent).toEqual([]);
  expect(bundle.setAsides).toEqual([]);
});
