import { expect, test } from 'vitest';
import { parseTiers } from './tiers.ts';
import { type TopicLayout, tierPartitions, topicNames, topicSpecs } from './topics.ts';

const layout: TopicLayout = {
  topicPrefix: 'posthorn.',
  tiers: parseTiers('1s,24h'),
  lanes: 16,
  eventPartitions: 8,
  journalPartitions: 4,
  replicationFactor: 3,
  minInSyncReplicas: 2,
};
const DAY_MS = 86_400_000;

test('every topic has its partitions', () => {
  const partitions = Object.fromEntries(topicSpecs(layout).map((spec) => [spec.name, spec.partitions]));
  expect(partitions).toEqual({
    'posthorn.events': 8,
    'posthorn.deliveries': 16,
    'posthorn.overflow': 16,
    'posthorn.journal': 4,
    'posthorn.dead-letters': 4,
    'posthorn.replay': 4,
    'posthorn.retry.1s': 4,
    'posthorn.retry.24h': 4,
  });
});

test('every topic has the settings that the promises rest on', () => {
  for (const spec of topicSpecs({ ...layout, inboundPartitions: 2 })) {
    expect(spec.replicationFactor).toBe(3);
    expect(spec.config).toMatchObject({
      'cleanup.policy': 'delete',
      'min.insync.replicas': '2',
      'unclean.leader.election.enable': 'false',
      'message.timestamp.type': 'LogAppendTime',
    });
    for (const key of spec.promises) expect(spec.config).toHaveProperty([key]);
    expect(spec.promises).not.toContain('retention.ms');
  }
});

test('a tier keeps its records longer than they wait', () => {
  const names = topicNames(layout.topicPrefix);
  for (const tier of layout.tiers) {
    const spec = topicSpecs(layout).find((each) => each.name === names.tier(tier))!;
    expect(Number(spec.config['retention.ms'])).toBeGreaterThanOrEqual(tier.delayMs + 7 * DAY_MS);
  }
});

test.each([
  [1, 1],
  [4, 1],
  [5, 2],
  [16, 4],
  [64, 16],
])('%d lanes share %d partitions of a tier', (lanes, partitions) => {
  expect(tierPartitions(lanes)).toBe(partitions);
});

test('there is a topic for events of others only where it was asked for', () => {
  const inbound = (inboundPartitions?: number) =>
    topicSpecs({ ...layout, ...(inboundPartitions === undefined ? {} : { inboundPartitions }) })
      .filter(({ name }) => name === topicNames(layout.topicPrefix).inbound)
      .map(({ partitions }) => partitions);
  expect([inbound(), inbound(0), inbound(3)]).toEqual([[], [], [3]]);
});
