import { vi } from 'vitest';
import { CommitLoop } from '../src/commit.ts';
import type { SlotUnderWay, TrackedRecord } from '../src/consumer.ts';
import type { InternalGroup, OffsetCommitRequest } from '../src/kafkajs-internals.ts';
import type { Committed } from '../src/partition-intake.ts';
import { Rejoin, type RejoinOptions } from '../src/rejoin.ts';
import { batchAt } from './fetched-batch.ts';

const LOG_START = 5;

/** A group whose coordinator keeps what is committed. */
export function fakeGroup(stored: Map<number, Committed>, memberId: string | null = null) {
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
          partitions: partitions.map(({ partition }) => ({ partition, offset: String(LOG_START) })),
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

/** Whoever has `underWay` hands it over. */
export function setup(change: Partial<RejoinOptions> = {}, underWay?: () => SlotUnderWay[]) {
  const stored = new Map<number, Committed>();
  const events: string[] = [];
  const records: TrackedRecord[] = [];
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const nowMs = () => performance.now();
  const commits = new CommitLoop({ minIntervalMs: 1e6, maxIntervalMs: 1e6, nowMs, log, onStale: () => {} });
  const rejoin: Rejoin = new Rejoin({
    drainTimeoutMs: 20,
    rebalanceTimeoutMs: 2_050,
    assigned(_topic, partition) {
      events.push(`assigned ${partition}`);
      return {
        offer: (record) => records.push(record) > 0,
        lost: (settledSince = []) => {
          const settled = settledSince.map(({ offset, slot }) => `, settled since ${offset}/${slot}`);
          events.push(`lost ${partition}${settled.join('')}`);
        },
        ...(underWay === undefined ? {} : { underWay }),
      };
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
  /** Has records of partition 0 handed on. */
  const hand = (count: number) => {
    const intake = rejoin.find('t', 0)!;
    intake.take(batchAt(intake.cursor, intake.cursor + count));
    return records.splice(0);
  };
  return { ...bundle, stored, rejoin, commits, join, owned, take, hand };
}
