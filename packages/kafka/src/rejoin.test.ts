import { expect, test, vi } from 'vitest';
import { CommitLoop } from './commit.ts';
import type { InternalGroup, OffsetCommitRequest } from './kafkajs-internals.ts';
import type { Committed } from './partition-intake.ts';
import { Rejoin, type RejoinOptions } from './rejoin.ts';
import { MapEncoder } from './window-encoding.ts';

/** A group whose coordinator keeps what is committed. */
function fakeGroup(stored: Map<number, Committed>, memberId: string | null = null) {
  const refusal: { type: string | null } = { type: null };
  const assignment: { partitions: number[] } = { partitions: [] };
  const paused = new Set<number>();
  const resolved: Record<number, string> = {};
  const group = {
    groupId: 'g',
    memberId,
    generationId: null as number | null,
    lastHeartbeatSentAt: null,
    lastRequest: 0,
    assigned: () => [{ topic: 't', partitions: assignment.partitions }],
    leave: vi.fn(async () => {
      group.memberId = null;
    }),
    seekOffset: { clear: vi.fn() },
    offsetManager: { committedOffsets: () => ({ t: {} }), resolvedOffsets: { t: resolved } },
    subscriptionState: {
      pause: ([{ partitions }]: [{ partitions: number[] }]) => void paused.add(partitions[0]!),
      resume: ([{ partitions }]: [{ partitions: number[] }]) => void paused.delete(partitions[0]!),
    },
    cluster: {
      fetchTopicsOffset: async (topics: Array<{ topic: string; partitions: Array<{ partition: number }> }>) =>
        topics.map(({ topic, partitions }) => ({
          topic,
          partitions: partitions.map(({ partition }) => ({ partition, offset: '5' })),
        })),
    },
    coordinator: {
      async offsetCommit({ topics }: OffsetCommitRequest) {
        if (refusal.type !== null) throw Object.assign(new Error(refusal.type), { type: refusal.type });
        for (const { partition, offset, metadata } of topics[0]!.partitions) {
          stored.set(partition, { offset: Number(offset), metadata });
        }
      },
      offsetFetch: async () => ({
        responses: [
          {
            topic: 't',
            partitions: assignment.partitions.map((partition) => {
              const { offset, metadata } = stored.get(partition) ?? { offset: -1, metadata: '' };
              return { partition, offset: String(offset), metadata };
            }),
          },
        ],
      }),
    },
  };
  return { group: group as unknown as InternalGroup, fake: group, refusal, assignment, paused, resolved };
}

function setup(change: Partial<RejoinOptions> = {}) {
  const stored = new Map<number, Committed>();
  const events: string[] = [];
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const nowMs = () => performance.now();
  const commits = new CommitLoop({ minIntervalMs: 1e6, maxIntervalMs: 1e6, nowMs, log, onStale: () => {} });
  const rejoin: Rejoin = new Rejoin({
    drainTimeoutMs: 20,
    rebalanceTimeoutMs: 2_050,
    assigned(_topic, partition) {
      events.push(`assigned ${partition}`);
      return { offer: () => true, lost: () => void events.push(`lost ${partition}`) };
    },
    beforeRejoin: async () => void events.push('drained'),
    rejoined: () => void events.push('rejoined'),
    adopt: () => void events.push('adopted'),
    commits,
    log,
    intake: {
      maxMapChars: 4_096,
      slotCount: () => 1,
      onDirty: (intake) => commits.touch(intake),
      onPauseChange: () => {},
      onGone: () => {},
      nowMs,
    },
    ...change,
  });
  const bundle = fakeGroup(stored);
  async function join(memberId: string, generation: number, partitions: number[], target = bundle) {
    await rejoin.beforeJoin(target.group);
    target.fake.memberId = memberId;
    target.fake.generationId = generation;
    target.assignment.partitions = partitions;
    await rejoin.afterJoin(target.group);
  }
  const owned = () => Object.values(rejoin.owned()).flat();
  const take = () => events.splice(0);
  return { ...bundle, stored, rejoin, commits, join, owned, take };
}

test('the first join begins at the start of the log, or where the group has committed', async () => {
  const { join, stored, resolved, take, rejoin } = setup();
  stored.set(1, { offset: 9, metadata: new MapEncoder(9).finish(9) });
  await join('m', 1, [0, 1]);
  expect(resolved).toEqual({ 0: '5', 1: '9' });
  expect(take()).toEqual(['adopted', 'assigned 0', 'assigned 1', 'rejoined']);
  expect([rejoin.rejoining, rejoin.generation, rejoin.joins]).toEqual([false, 1, 1]);
});

test('a kept partition stays, a lost one is told, a new one is made', async () => {
  const { join, take, owned } = setup();
  await join('m', 1, [0, 1]);
  take();
  await join('m', 2, [1, 2]);
  expect(take()).toEqual(['drained', 'lost 0', 'assigned 2', 'rejoined']);
  expect(owned()).toEqual([1, 2]);
});

test('a partition in which somebody else has committed meanwhile is not ours any more', async () => {
  const { join, stored, take } = setup();
  await join('m', 1, [0, 1]);
  take();
  stored.set(0, { offset: 50, metadata: new MapEncoder(50).finish(50) });
  await join('m', 3, [0, 1]);
  expect(take()).toEqual(['drained', 'lost 0', 'assigned 0', 'rejoined']);
});

test('a member with another id has nothing of what the old one had', async () => {
  const { join, take } = setup();
  await join('m', 1, [0]);
  take();
  await join('n', 2, [0]);
  expect(take()).toEqual(['drained', 'lost 0', 'assigned 0', 'rejoined']);
});

test('a member that the group forgot drops all before it joins, and drains nothing', async () => {
  const { join, fake, take } = setup();
  await join('m', 1, [0]);
  take();
  fake.memberId = null;
  await join('n', 2, [0]);
  expect(take()).toEqual(['lost 0', 'assigned 0', 'rejoined']);
});

test('whose last commit is refused as stale drops all', async () => {
  const { join, rejoin, commits, refusal, take } = setup();
  await join('m', 1, [0]);
  for (const intake of rejoin.intakes) commits.touch(intake);
  take();
  refusal.type = 'ILLEGAL_GENERATION';
  await join('m', 3, [0]);
  expect(take()).toEqual(['drained', 'lost 0', 'assigned 0', 'rejoined']);
});

test('a commit that fails otherwise costs nothing: what it would have said is still known', async () => {
  const { join, rejoin, commits, refusal, take } = setup();
  await join('m', 1, [0]);
  for (const intake of rejoin.intakes) commits.touch(intake);
  take();
  refusal.type = 'REQUEST_TIMED_OUT';
  await join('m', 2, [0]);
  expect(take()).toEqual(['drained', 'rejoined']);
  expect(commits.commitFailures).toBe(2);
});

test('a drain that takes too long is not waited for', async () => {
  const { join, take } = setup({ beforeRejoin: () => new Promise(() => {}) });
  await join('m', 1, [0]);
  take();
  await join('m', 2, [0]);
  expect(take()).toEqual(['rejoined']);
});

test('a join that is tried again drains and commits only once', async () => {
  const { join, rejoin, group, take } = setup();
  await join('m', 1, [0]);
  take();
  await rejoin.beforeJoin(group);
  await join('m', 2, [0]);
  expect(take()).toEqual(['drained', 'rejoined']);
});

test('a group that kafkajs made anew after a crash starts with nothing', async () => {
  const { join, take, stored } = setup();
  await join('m', 1, [0]);
  take();
  await join('n', 2, [0], fakeGroup(stored));
  expect(take()).toEqual(['lost 0', 'adopted', 'assigned 0', 'rejoined']);
});

test('a rebalance during a stop finishes, commits and leaves instead of joining', async () => {
  const { join, rejoin, group, fake, take, stored, commits, paused } = setup();
  await join('m', 1, [0]);
  take();
  const drain = Promise.withResolvers<void>();
  void rejoin.stopping(drain.promise);
  expect([...paused]).toEqual([0]);
  const hook = rejoin.beforeJoin(group);
  for (const intake of rejoin.intakes) commits.touch(intake);
  drain.resolve();
  await expect(hook).rejects.toThrow('stopping');
  expect(fake.leave).toHaveBeenCalledOnce();
  expect(stored.get(0)!.offset).toBe(5);
  await rejoin.joined;
  await rejoin.leave();
  expect(fake.leave).toHaveBeenCalledOnce();
});

test('a rebalance during a stop waits no longer for it than the group waits for the member', async () => {
  const { join, rejoin, group, fake } = setup();
  await join('m', 1, [0]);
  void rejoin.stopping(new Promise(() => {}));
  await expect(rejoin.beforeJoin(group)).rejects.toThrow('stopping');
  expect(fake.leave).toHaveBeenCalledOnce();
});

test('an orderly stop commits and leaves', async () => {
  const { join, rejoin, fake, commits, stored } = setup();
  await join('m', 1, [0]);
  for (const intake of rejoin.intakes) commits.touch(intake);
  await rejoin.leave();
  expect(stored.get(0)!.offset).toBe(5);
  expect(fake.leave).toHaveBeenCalledOnce();
});
