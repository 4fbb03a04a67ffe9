import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CommitLoop } from './commit.ts';
import type { InternalGroup, OffsetCommitRequest } from './kafkajs-internals.ts';
import { PartitionIntake } from './partition-intake.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Sent {
  request: OffsetCommitRequest;
  acknowledge(): Promise<void>;
  refuse(type: string): Promise<void>;
}

function setup() {
  const sent: Sent[] = [];
  const settle = async () => void (await vi.advanceTimersByTimeAsync(0));
  const coordinatorOf = () => ({
    offsetCommit: (request: OffsetCommitRequest) =>
      new Promise<void>((resolve, reject) => {
        sent.push({
          request,
          acknowledge() {
            resolve();
            return settle();
          },
          refuse(type) {
            reject(Object.assign(new Error(type), { type }));
            return settle();
          },
        });
      }),
  });
  const found = coordinatorOf();
  const group = {
    groupId: 'g',
    coordinator: coordinatorOf(),
    cluster: { findGroupCoordinator: async () => found },
  } as unknown as InternalGroup;
  const onStale = vi.fn();
  const warnings: string[] = [];
  const log = { debug() {}, info() {}, warn: (_: object, m: string) => void warnings.push(m), error() {} };
  const loop = new CommitLoop({
    minIntervalMs: 20,
    maxIntervalMs: 50,
    nowMs: () => performance.now(),
    log,
    onStale,
  });
  const join = (generationId: number) => loop.resume({ group, groupId: 'g', memberId: 'm', generationId });
  const partition = (number: number) => openPartition(number, loop);
  return { sent, group, found, loop, join, partition, onStale, warnings };
}

/** A partition with records to finish, and the means to do so. */
function openPartition(partition: number, loop: CommitLoop) {
  const entries: Array<() => void> = [];
  const handler = {
    offer: (record: { complete(): void }) => {
      entries.push(() => record.complete());
      return true;
    },
    lost: () => {},
  };
  const from = { start: 0, map: null, committed: { offset: -1, metadata: '' } };
  const intake: PartitionIntake = new PartitionIntake({ topic: 't', partition }, handler, from, {
    maxMapChars: 4_096,
    slotCount: () => 1,
    onDirty: (dirty) => loop.touch(dirty),
    onPauseChange: () => {},
    onGone: () => {},
    nowMs: () => performance.now(),
  });
  const messages = Array.from({ length: 10 }, (_, i) => ({
    offset: String(i),
    timestamp: '0',
    key: null,
    value: null,
    headers: {},
  }));
  intake.take({
    topic: 't',
    partition,
    fetchedOffset: '0',
    highWatermark: '10',
    rawMessages: messages,
    messages,
    lastOffset: () => '9',
  });
  return { intake, finish: (offset: number) => entries[offset]!() };
}

const offsets = (sent: Sent | undefined) =>
  sent?.request.topics
    .flatMap(({ partitions }) => partitions)
    .map(({ partition, offset }) => `${partition}:${offset}`);

test('one request says what all partitions have to say, under member and generation', async () => {
  const { sent, join, partition } = setup();
  const [a, b] = [partition(0), partition(1)];
  join(3);
  a.finish(0);
  b.finish(0);
  b.finish(1);
  await vi.advanceTimersByTimeAsync(20);
  expect(sent).toHaveLength(1);
  expect(sent[0]!.request).toMatchObject({ groupId: 'g', memberId: 'm', groupGenerationId: 3 });
  expect(offsets(sent[0])).toEqual(['0:1', '1:2']);
});

test('the next goes when the last was acknowledged, so that nothing waits longer than the maximum', async () => {
  const { sent, join, partition } = setup();
  const { finish } = partition(0);
  join(1);
  finish(0);
  await vi.advanceTimersByTimeAsync(20);
  finish(1);
  await vi.advanceTimersByTimeAsync(200);
  expect(sent).toHaveLength(1);
  await sent[0]!.acknowledge();
  await vi.advanceTimersByTimeAsync(20);
  expect(offsets(sent[1])).toEqual(['0:2']);
  await vi.advanceTimersByTimeAsync(5);
  await sent[1]!.acknowledge();
  finish(2);
  await vi.advanceTimersByTimeAsync(39);
  expect(sent).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(sent).toHaveLength(3);
});

test('with nothing to say nothing is sent', async () => {
  const { sent, join, loop, partition } = setup();
  const { finish, intake } = partition(0);
  join(1);
  finish(0);
  await vi.advanceTimersByTimeAsync(20);
  await sent[0]!.acknowledge();
  loop.touch(intake);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sent).toHaveLength(1);
  expect(await loop.flush()).toBe('acknowledged');
});

test('a failure is tried again ever more slowly, with what is true by then', async () => {
  const { sent, join, loop, partition, warnings } = setup();
  const { finish } = partition(0);
  join(1);
  finish(0);
  await vi.advanceTimersByTimeAsync(20);
  const failedMs = performance.now();
  await sent[0]!.refuse('REQUEST_TIMED_OUT');
  finish(1);
  await vi.advanceTimersByTimeAsync(99);
  expect(sent).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(offsets(sent[1])).toEqual(['0:2']);
  expect(loop.failingSinceMs).toBe(failedMs);
  await sent[1]!.refuse('REQUEST_TIMED_OUT');
  await vi.advanceTimersByTimeAsync(199);
  expect(sent).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(1);
  await sent[2]!.acknowledge();
  expect([loop.failingSinceMs, loop.commits, loop.commitFailures]).toEqual([null, 1, 2]);
  expect(warnings).toEqual(['a commit failed']);
});

test('follows the coordinator when it has moved', async () => {
  const { sent, group, found, join, partition } = setup();
  const { finish } = partition(0);
  join(1);
  finish(0);
  await vi.advanceTimersByTimeAsync(20);
  await sent[0]!.refuse('NOT_COORDINATOR_FOR_GROUP');
  expect(group.coordinator).toBe(found);
  await vi.advanceTimersByTimeAsync(100);
  expect(sent).toHaveLength(2);
});

test('refused as stale it says nothing more until the next join, and has it looked for at once', async () => {
  const { sent, join, partition, onStale } = setup();
  const { finish } = partition(0);
  join(1);
  finish(0);
  await vi.advanceTimersByTimeAsync(20);
  await sent[0]!.refuse('ILLEGAL_GENERATION');
  expect(onStale).toHaveBeenCalledOnce();
  finish(1);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(sent).toHaveLength(1);
  join(2);
  await vi.advanceTimersByTimeAsync(20);
  expect(sent[1]!.request.groupGenerationId).toBe(2);
});

test.each(['REQUEST_TIMED_OUT', 'ILLEGAL_GENERATION'])(
  'what fails (%s) after the next join is said again under its generation',
  async (type) => {
    const { sent, join, loop, partition, onStale } = setup();
    const { finish } = partition(0);
    join(1);
    finish(0);
    await vi.advanceTimersByTimeAsync(20);
    loop.suspend();
    join(2);
    await sent[0]!.refuse(type);
    await vi.advanceTimersByTimeAsync(100);
    expect(sent[1]!.request.groupGenerationId).toBe(2);
    expect(onStale).not.toHaveBeenCalled();
  },
);

test('a flush waits for the commit under way, then says the rest, with a second try', async () => {
  const { sent, join, loop, partition } = setup();
  const { finish } = partition(0);
  join(1);
  finish(0);
  await vi.advanceTimersByTimeAsync(20);
  finish(1);
  const flushed = loop.flush();
  await sent[0]!.acknowledge();
  expect(offsets(sent[1])).toEqual(['0:2']);
  await sent[1]!.refuse('NETWORK_EXCEPTION');
  await sent[2]!.acknowledge();
  expect(await flushed).toBe('acknowledged');
});

test('a partition that was lost says nothing more', async () => {
  const { sent, join, partition } = setup();
  const { intake, finish } = partition(0);
  finish(0);
  intake.lose('dropped');
  finish(1);
  join(1);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sent).toHaveLength(0);
});
