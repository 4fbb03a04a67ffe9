import {
  decodeDelivery,
  decodeWait,
  encodeDelivery,
  encodeWait,
  laneOf,
  lookAheadMs,
  mintEndpointId,
  parseTiers,
  RecordFormatError,
  type Tier,
  tenantPartition,
  topicNames,
  type WaitMeta,
} from '@posthorn/contracts';
import type { OutboundRecord, TrackedRecord } from '@posthorn/kafka';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fakeRecord, withHeaders } from '../../test/fakes.ts';
import { leaveTier, NoSuchLane, planRelease, readWaiting, sendRound } from './release.ts';

const tiers = parseTiers('1s,4s,16s,64s,256s');
const [oneSecond, fourSeconds, , , longest] = tiers;
const to = {
  names: topicNames(''),
  tiers,
  lanes: 16,
  eventPartitions: 8,
  lanesOf: (): readonly number[] | undefined => undefined,
};
const wait = (delayMs: number, given: Partial<WaitMeta> = {}): WaitMeta => ({
  delayMs,
  returnTo: 'deliveries',
  bounces: 0,
  ...given,
});
const delivery = encodeDelivery({ slots: [mintEndpointId(1)], run: 0, round: 0, attempt: 2, lane: 5 });
const waiting = (meta: WaitMeta, headers: Record<string, string> = delivery) =>
  fakeRecord({
    partition: 1,
    timestampMs: 100_000,
    headers: withHeaders({ ...headers, ...encodeWait(meta) }),
  });

describe('planning', () => {
  test.each([
    ["the tier's own delay", fourSeconds, 4_000, { leavesMs: 104_000, opensMs: 102_500, hops: false }],
    [
      'within the look-ahead, shorter',
      fourSeconds,
      3_500,
      { leavesMs: 103_500, opensMs: 102_000, hops: false },
    ],
    [
      'within the look-ahead, longer',
      fourSeconds,
      5_000,
      { leavesMs: 105_000, opensMs: 102_500, hops: false },
    ],
    ['beyond the look-ahead', fourSeconds, 5_001, { leavesMs: 104_000, opensMs: 102_500, hops: true }],
    ['the shortest tier', oneSecond, 1_000, { leavesMs: 101_000, opensMs: 100_000, hops: false }],
    ['shorter than the shortest tier', oneSecond, 100, { leavesMs: 100_100, opensMs: 99_100, hops: false }],
    ['the longest tier', longest, 256_000, { leavesMs: 356_000, opensMs: 335_500, hops: false }],
  ])('a wait of %s', (_, tier, delayMs, plan) => {
    expect(planRelease(tier!, 100_000, wait(delayMs))).toMatchObject({ ...plan, dueMs: 100_000 + delayMs });
  });

  test('a record never leaves after it is due, and may always be read before it leaves', () => {
    const tier = fc.constantFrom(...tiers);
    fc.assert(
      fc.property(tier, fc.nat(1e9), fc.nat(1e8), (given, appendMs, delayMs) => {
        const plan = planRelease(given, appendMs, wait(delayMs));
        expect(plan.leavesMs).toBeLessThanOrEqual(plan.dueMs);
        expect(plan.opensMs).toBeLessThan(plan.leavesMs);
        // Whatever stands before it on the tier is open half a second before the shortest wait of the tier ends.
        expect(plan.opensMs).toBeLessThanOrEqual(appendMs + given.delayMs - lookAheadMs(given) - 500);
      }),
    );
  });
});

describe('leaving', () => {
  const leave = (record: TrackedRecord, tier: Tier, nowMs: number): OutboundRecord =>
    leaveTier(to, readWaiting(to, tier, record), nowMs, '')[0]!;

  test('a retry goes back to its lane without its wait, with key and payload as they were', () => {
    const record = waiting(wait(4_000, { bounces: 2 }));
    const out = leave(record, fourSeconds!, 104_000);
    expect(out).toMatchObject({ topic: 'deliveries', partition: 5, key: 'acme' });
    expect(out.value).toBe(record.value);
    const { ph_delay_ms: _, ph_return: __, ...kept } = record.headers;
    expect(out.headers).toEqual(kept);
  });

  test("an event that was put aside goes back to its tenant's partition of events", () => {
    const meta = wait(1_000, { returnTo: 'events', bounces: 1 });
    const out = leave(waiting(meta, {}), oneSecond!, 101_000);
    expect(out).toMatchObject({ topic: 'events', partition: tenantPartition('acme', 8) });
    expect(out.headers.ph_bounces).toBe('1');
  });

  test('a long wait goes on to the tier of what remains, which is counted from now', () => {
    const out = leave(waiting(wait(70_000)), fourSeconds!, 104_010);
    expect(out).toMatchObject({ topic: 'retry.64s', partition: 1 });
    expect(decodeWait(out.headers)).toEqual(wait(65_990));
  });

  test('a sampled trace is continued by the hop', () => {
    const read = readWaiting(to, oneSecond!, waiting(wait(1_000)));
    expect(leaveTier(to, read, 101_000, '00-new')[0]!.headers.traceparent).toBe('00-new');
  });

  test('the slots of one record part where their tenant has got more lanes, each to its own', () => {
    const slots = Array.from({ length: 40 }, (_, i) => mintEndpointId(i));
    const several = encodeDelivery({ slots, run: 0, round: 0, attempt: 1, lane: 5 });
    const read = readWaiting(to, oneSecond!, waiting(wait(1_000), several));
    const out = leaveTier({ ...to, lanesOf: () => [5, 9] }, read, 101_000, '');
    expect(out.map((each) => each.partition).sort()).toEqual([5, 9]);
    for (const each of out) {
      const { lane, slots: own } = decodeDelivery(each.headers);
      expect(lane).toBe(each.partition);
      for (const endpointId of own) expect(laneOf(endpointId, [5, 9])).toBe(lane);
    }
    expect(out.flatMap((each) => decodeDelivery(each.headers).slots).sort()).toEqual(slots.toSorted());
  });

  test.each([
    ['is not at hand', undefined],
    ['names a lane that the layout does not have', [99]],
  ])('a tenant whose configuration %s: the lane of the record stands', (_, lanes) => {
    const read = readWaiting(to, oneSecond!, waiting(wait(1_000)));
    expect(leaveTier({ ...to, lanesOf: () => lanes }, read, 101_000, '')).toMatchObject([{ partition: 5 }]);
  });

  test('another turn keeps the way back and the bounces, and counts itself', () => {
    const meta = wait(1_000, { bounces: 2 });
    const first = sendRound(to, readWaiting(to, oneSecond!, waiting(meta)), 4_000);
    expect(first).toMatchObject({ topic: 'retry.4s', partition: 1 });
    expect(decodeWait(first.headers)).toEqual({ ...meta, delayMs: 4_000 });
    const again = fakeRecord({ headers: first.headers });
    expect(sendRound(to, readWaiting(to, oneSecond!, again), 4_000).headers.ph_crowded).toBe('2');
  });
});

test.each([
  ['without a wait', { ...delivery }, RecordFormatError],
  ['without a lane', { ...encodeWait(wait(1_000)) }, RecordFormatError],
  ['for a lane that does not exist', { ...delivery, ph_lane: '16', ...encodeWait(wait(1_000)) }, NoSuchLane],
  [
    'for events without an event',
    { ...encodeWait(wait(1_000, { returnTo: 'events' })), ce_id: '' },
    RecordFormatError,
  ],
])('a record %s is found out when it is read', (_, headers, error) => {
  expect(() => readWaiting(to, oneSecond!, fakeRecord({ headers: withHeaders(headers) }))).toThrow(error);
});
