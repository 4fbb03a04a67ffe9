import { encodeDelivery, encodeWait, mintEndpointId, parseTiers, topicNames } from '@posthorn/contracts';
import type { ProduceAck } from '@posthorn/kafka';
import { systemClock } from '@posthorn/runtime';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  type FakeRecord,
  fakeLog,
  fakeProducer,
  fakeRecord,
  fakeSetAside,
  gate,
  noTracing,
  withHeaders,
} from '../../test/fakes.ts';
import { createSend } from '../send.ts';
import { createBrokerClock } from './broker-clock.ts';
import { createReleaser, type ReleaserOptions } from './consume-tiers.ts';
import { createReleaseRate } from './release-rate.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** The broker's clock is an hour ahead of ours: nothing here may depend on the two being alike. */
const SKEW_MS = 3_600_000;
const brokerNow = () => Date.now() + SKEW_MS;

function setup(options: Partial<ReleaserOptions> = {}) {
  const producer = fakeProducer(brokerNow);
  const fence = { up: true };
  const resumed: string[] = [];
  const observed: Array<{ to: string; latenessMs?: number }> = [];
  const { log } = fakeLog();
  const { setAside, reasons: setAsides } = fakeSetAside('release', log);
  const monotonicMs = () => systemClock.monotonicMs();
  const brokerClock = createBrokerClock(monotonicMs);
  brokerClock.observe({ appendTimeMs: brokerNow(), sentMs: monotonicMs(), ackedMs: monotonicMs() });
  const releaser = createReleaser({
    names: topicNames(''),
    tiers: parseTiers('1s,4s,16s'),
    lanes: 16,
    eventPartitions: 8,
    maxWaitingRecords: 100,
    maxWaitingBytes: 1e6,
    brokerClock,
    monotonicMs,
    send: createSend({ producer, mayAct: () => true, log, onRetry: () => undefined }),
    mayBegin: () => fence.up,
    resume: (topic, partition) => resumed.push(`${topic}/${partition}`),
    setAside,
    lanesOf: () => undefined,
    rate: createReleaseRate({ perSec: 1_000, maxTenants: 10 }),
    tracing: noTracing,
    observe: {
      released: (to, latenessMs) => observed.push({ to, latenessMs }),
      hopped: () => observed.push({ to: 'tier' }),
      crowded: () => observed.push({ to: 'another turn' }),
    },
    ...options,
  });
  return { releaser, producer, fence, resumed, setAsides, observed };
}

const delivery = encodeDelivery({ slots: [mintEndpointId(1)], run: 0, round: 0, attempt: 2, lane: 5 });

/** A record that was appended `ageMs` ago. */
function retry(
  topic: string,
  delayMs: number,
  { ageMs = 0, value = Buffer.from('{}'), partition = 0 } = {},
): FakeRecord {
  return fakeRecord({
    topic,
    partition,
    value,
    timestampMs: brokerNow() - ageMs,
    headers: withHeaders({ ...delivery, ...encodeWait({ delayMs, returnTo: 'deliveries', bounces: 0 }) }),
  });
}

test('a retry is published at its due time on the broker, not before, and completed then', async () => {
  const { releaser, producer, observed } = setup();
  const record = retry('retry.1s', 1_000, { ageMs: 200 });
  expect(releaser.assigned('retry.1s', 0).offer(record)).toBe(true);
  await vi.advanceTimersByTimeAsync(799);
  expect(producer.sent).toEqual([]);
  await vi.advanceTimersByTimeAsync(3);
  expect(producer.sent).toMatchObject([{ topic: 'deliveries', partition: 5 }]);
  expect(record.completed).toBe(true);
  expect(observed).toMatchObject([{ to: 'deliveries' }]);
  expect(Math.abs(observed[0]!.latenessMs!)).toBeLessThanOrEqual(2);
});

test('records of one tier leave in the order of their due times, jitter and all', async () => {
  const { releaser, producer } = setup();
  const handler = releaser.assigned('retry.1s', 0);
  for (const delayMs of [1_100, 900, 1_000])
    handler.offer(retry('retry.1s', delayMs, { value: Buffer.from(String(delayMs)) }));
  await vi.advanceTimersByTimeAsync(1_200);
  expect(producer.sent.map((each) => each.value!.toString())).toEqual(['900', '1000', '1100']);
});

test('a record that is overdue leaves at once', async () => {
  const { releaser, producer } = setup();
  releaser.assigned('retry.16s', 0).offer(retry('retry.16s', 16_000, { ageMs: 60_000 }));
  await vi.advanceTimersByTimeAsync(0);
  expect(producer.sent).toHaveLength(1);
});

test('a record that opens later holds its partition until somewhat more than a quarter of the tier before its time', async () => {
  const { releaser, resumed } = setup();
  const handler = releaser.assigned('retry.16s', 2);
  const record = retry('retry.16s', 16_000, { partition: 2 });
  expect(handler.offer(record)).toBe(false);
  await vi.advanceTimersByTimeAsync(11_499);
  expect(resumed).toEqual([]);
  await vi.advanceTimersByTimeAsync(3);
  expect(resumed).toEqual(['retry.16s/2']);
  expect(handler.offer(record)).toBe(true);
});

test('a held record that is offered again too early is held again', async () => {
  const { releaser, resumed } = setup();
  const handler = releaser.assigned('retry.4s', 0);
  const record = retry('retry.4s', 4_000);
  expect([handler.offer(record), handler.offer(record)]).toEqual([false, false]);
  await vi.advanceTimersByTimeAsync(2_502);
  expect(resumed).toEqual(['retry.4s/0']);
});

test('a wait longer than its tier hops to the tier of the remainder after the tier is over', async () => {
  const { releaser, producer, observed } = setup();
  const record = retry('retry.4s', 20_000, { ageMs: 3_500 });
  releaser.assigned('retry.4s', 0).offer(record);
  await vi.advanceTimersByTimeAsync(502);
  expect(producer.sent).toMatchObject([{ topic: 'retry.16s' }]);
  const remaining = Number(producer.sent[0]!.headers.ph_delay_ms);
  expect(Math.abs(remaining - 16_000)).toBeLessThanOrEqual(2);
  expect(record.completed).toBe(true);
  expect(observed).toEqual([{ to: 'tier' }]);
});

test('a heap without room refuses, and resumes once half of it is free', async () => {
  const { releaser, resumed } = setup({ maxWaitingRecords: 4 });
  const handler = releaser.assigned('retry.1s', 0);
  for (let i = 0; i < 4; i++) expect(handler.offer(retry('retry.1s', 400 + i * 200))).toBe(true);
  expect(handler.offer(retry('retry.1s', 1_000))).toBe(false);
  expect(releaser.stats()[0]).toMatchObject({ tier: '1s', records: 4 });
  await vi.advanceTimersByTimeAsync(500);
  expect(resumed).toEqual([]);
  await vi.advanceTimersByTimeAsync(200);
  expect(resumed).toEqual(['retry.1s/0']);
});

test('the heap is bounded in bytes as well, each tier for itself', () => {
  const { releaser } = setup({ maxWaitingBytes: 1_000 });
  const big = () => ({ value: Buffer.alloc(600) });
  const shortest = releaser.assigned('retry.1s', 0);
  expect([
    shortest.offer(retry('retry.1s', 1_000, big())),
    shortest.offer(retry('retry.1s', 1_000, big())),
  ]).toEqual([true, false]);
  const other = releaser.assigned('retry.4s', 0);
  expect(other.offer(retry('retry.4s', 4_000, { ...big(), ageMs: 3_500 }))).toBe(true);
});

test('what is being published holds its room until it is acknowledged', async () => {
  const { releaser, producer, resumed } = setup({ maxWaitingRecords: 1 });
  const ack = gate<ProduceAck>();
  producer.answer(() => ack.passed);
  const handler = releaser.assigned('retry.1s', 0);
  const record = retry('retry.1s', 100);
  handler.offer(record);
  await vi.advanceTimersByTimeAsync(200);
  expect(producer.sent).toHaveLength(1);
  expect(handler.offer(retry('retry.1s', 100))).toBe(false);
  expect(record.completed).toBe(false);
  let idle = false;
  void releaser.idle().then(() => {
    idle = true;
  });
  await vi.advanceTimersByTimeAsync(0);
  expect(idle).toBe(false);
  ack.open({ partition: 5, offset: 1, appendTimeMs: null });
  await vi.advanceTimersByTimeAsync(0);
  expect([record.completed, idle]).toEqual([true, true]);
  expect(resumed).toEqual(['retry.1s/0']);
});

test('nothing is released while the fence is down, and all that is due once it is up', async () => {
  const { releaser, producer, fence } = setup();
  fence.up = false;
  releaser.assigned('retry.1s', 0).offer(retry('retry.1s', 100));
  await vi.advanceTimersByTimeAsync(5_000);
  expect(producer.sent).toEqual([]);
  fence.up = true;
  await vi.advanceTimersByTimeAsync(50);
  expect(producer.sent).toHaveLength(1);
});

test('a lost partition takes its records out of the heap and lets the crowded in, others stay', async () => {
  const { releaser, producer, resumed } = setup({ maxWaitingRecords: 2 });
  const lost = releaser.assigned('retry.1s', 0);
  const kept = releaser.assigned('retry.1s', 1);
  lost.offer(retry('retry.1s', 500));
  kept.offer(retry('retry.1s', 500, { partition: 1, value: Buffer.from('kept') }));
  kept.offer(retry('retry.1s', 500, { partition: 1 }));
  lost.lost();
  expect(resumed).toEqual(['retry.1s/1']);
  await vi.advanceTimersByTimeAsync(600);
  expect(producer.sent.map((each) => each.value!.toString())).toEqual(['kept']);
});

test('a partition that was lost while it was held is not resumed', async () => {
  const { releaser, resumed } = setup();
  const handler = releaser.assigned('retry.4s', 0);
  handler.offer(retry('retry.4s', 4_000));
  handler.lost();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(resumed).toEqual([]);
});

test('a beacon is completed and sent nowhere', async () => {
  const { releaser, producer } = setup();
  const record = fakeRecord({ topic: 'retry.1s', headers: { ph_beacon: '1' } });
  expect(releaser.assigned('retry.1s', 0).offer(record)).toBe(true);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(record.completed).toBe(true);
  expect(producer.sent).toEqual([]);
});

test.each([
  ['a malformed record', { ph_delay_ms: 'soon' }, 'malformed'],
  ['a record for a lane that does not exist', { ph_lane: '99' }, 'no_such_lane'],
])('%s is set aside and those behind it move on', async (_, headers, reason) => {
  const { releaser, producer, setAsides } = setup();
  const handler = releaser.assigned('retry.1s', 0);
  const good = retry('retry.1s', 100);
  const bad = fakeRecord({ topic: 'retry.1s', headers: { ...good.headers, ...headers } });
  expect([handler.offer(bad), handler.offer(good)]).toEqual([true, true]);
  await vi.advanceTimersByTimeAsync(200);
  expect([bad.completed, good.completed]).toEqual([true, true]);
  expect(setAsides).toEqual([reason]);
  expect(producer.sent).toHaveLength(1);
});

test('a release whose partition another process owns now is left to it', async () => {
  const { releaser, producer, setAsides } = setup();
  const record = retry('retry.1s', 100);
  releaser.assigned('retry.1s', 0).offer(record);
  record.live = false;
  await vi.advanceTimersByTimeAsync(200);
  expect(record.completed).toBe(false);
  expect(producer.sent).toEqual([]);
  expect(setAsides).toEqual([]);
});

test("a tenant's releases beyond its rate take another turn, and its neighbour leaves on time", async () => {
  const rate = createReleaseRate({ perSec: 2, maxTenants: 10 });
  const { releaser, producer, observed } = setup({ rate });
  const handler = releaser.assigned('retry.1s', 0);
  const crowd = Array.from({ length: 4 }, () => retry('retry.1s', 100));
  const neighbour = retry('retry.1s', 101);
  // It took three turns before, and leaves without a trace of them.
  Object.assign(neighbour.headers, { ce_tenant: 'globex', ph_crowded: '3' });
  for (const record of [...crowd, neighbour]) handler.offer(record);
  await vi.advanceTimersByTimeAsync(110);
  expect(observed.map(({ to }) => to)).toEqual([
    'another turn',
    'another turn',
    'deliveries',
    'deliveries',
    'deliveries',
  ]);
  const round = producer.sent.filter((each) => each.topic !== 'deliveries');
  expect(round.map(({ topic, partition, headers }) => [topic, partition, headers.ph_crowded])).toEqual([
    ['retry.1s', 0, '1'],
    ['retry.1s', 0, '1'],
  ]);
  expect(round.map(({ headers }) => headers.ph_bounces)).toEqual(['0', '0']);
  expect(round.map(({ headers }) => headers.ph_attempt)).toEqual(['2', '2']);
  expect(crowd.every((record) => record.completed)).toBe(true);
  const left = producer.sent.filter((each) => each.topic === 'deliveries');
  for (const { headers } of left) expect(headers).not.toHaveProperty('ph_crowded');
});

test('a release goes to the lane that its endpoint has now', async () => {
  const { releaser, producer } = setup({ lanesOf: (tenantId) => (tenantId === 'acme' ? [9] : undefined) });
  releaser.assigned('retry.1s', 0).offer(retry('retry.1s', 100));
  await vi.advanceTimersByTimeAsync(110);
  expect(producer.sent).toMatchObject([{ topic: 'deliveries', partition: 9, headers: { ph_lane: '9' } }]);
});

test('a topic that is no tier is refused', () => {
  expect(() => setup().releaser.assigned('journal', 0)).toThrow('journal is no tier');
});
