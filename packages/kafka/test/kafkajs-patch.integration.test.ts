import { createSignalledList, kafkaBrokers, startFaultProxy, waitUntil } from '@posthorn/testkit';
import kafkajs from 'kafkajs';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openConsumer } from '../src/client.ts';
import type { InternalGroup, JoinHooks } from '../src/kafkajs-internals.ts';
import { brokerPort, clientThrough, record, setup } from './setup.ts';

/** What the patch of kafkajs adds, hunk by hunk, without the rest of the package around it. */

async function join(
  { client, topic, groupId }: Awaited<ReturnType<typeof setup>>,
  hooks: Partial<JoinHooks> = {},
): Promise<{ group: InternalGroup; stop: () => Promise<void> }> {
  const consumer = openConsumer(client, {
    groupId,
    heartbeatInterval: 50,
    sessionTimeout: 10_000,
    maxWaitTimeInMs: 50,
  });
  onTestFinished(() => consumer.disconnect());
  let group: InternalGroup | undefined;
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const run = {
    autoCommit: false,
    eachBatch: async () => {},
    async beforeJoin(joining: InternalGroup) {
      group = joining;
      await hooks.beforeJoin?.(joining);
    },
    async afterJoin(joined: InternalGroup) {
      await hooks.afterJoin?.(joined);
    },
  };
  await consumer.run(run);
  return { group: group!, stop: () => consumer.disconnect() };
}

function commit(group: InternalGroup, generation: number, topic: string, offset: string, metadata: string) {
  return group.coordinator.offsetCommit({
    groupId: group.groupId,
    memberId: group.memberId!,
    groupGenerationId: generation,
    topics: [{ topic, partitions: [{ partition: 0, offset, metadata }] }],
  });
}

test('a commit before the JoinGroup is taken while the group rebalances, and refused a generation later', async () => {
  const bundle = await setup();
  const { topic, producer, admin, groupId } = bundle;
  const send = await producer();
  await send.sendAll([0, 1, 2].map((i) => record(topic, 0, `${i}`)));
  const generations: number[] = [];
  const committed = Promise.withResolvers<void>();
  const { group } = await join(bundle, {
    async beforeJoin(joining) {
      if (generations.length !== 1) return;
      await commit(joining, generations[0]!, topic, '2', 'said before the join');
      committed.resolve();
    },
    async afterJoin(joined) {
      generations.push(joined.generationId!);
    },
  });
  await join(bundle);
  await committed.promise;
  await waitUntil(() => generations.length > 1, { what: 'the first member joins again' });
  expect(await admin.fetchCommitted(groupId, [topic])).toMatchObject([
    { offset: 2, metadata: 'said before the join' },
  ]);
  await expect(commit(group, generations[0]!, topic, '1', '')).rejects.toMatchObject({
    type: 'ILLEGAL_GENERATION',
  });
});

test('both hooks are awaited, one before the JoinGroup and one after the SyncGroup', async () => {
  const bundle = await setup();
  const seen: Array<string | null> = [];
  await join(bundle, {
    async beforeJoin({ memberId }) {
      await Promise.resolve();
      seen.push(memberId);
    },
    async afterJoin({ memberId, assigned }) {
      expect(assigned).toBeTypeOf('function');
      seen.push(memberId);
    },
  });
  expect(seen).toEqual([null, expect.stringContaining('kafka-test')]);
});

test('a join that failed retriably is tried again in place', async () => {
  const bundle = await setup();
  const seen: string[] = [];
  const { group } = await join(bundle, {
    async beforeJoin() {
      seen.push('before');
    },
    async afterJoin() {
      seen.push('after');
      if (seen.length === 2) throw new kafkajs.KafkaJSConnectionError('cut');
    },
  });
  expect(seen).toEqual(['before', 'after', 'before', 'after']);
  expect(group.memberId).not.toBeNull();
});

test('a clock that is set back stops no heartbeat', async () => {
  const { group } = await join(await setup());
  const hourAgo = Date.now() - 3_600_000;
  vi.spyOn(Date, 'now').mockImplementation(() => hourAgo);
  onTestFinished(() => void vi.restoreAllMocks());
  const sinceMs = performance.now();
  await waitUntil(() => group.lastHeartbeatSentAt! > sinceMs, { what: 'a heartbeat after the change' });
});

test('a heartbeat counts from when it was sent, not from when its answer was seen', async () => {
  const now = performance.now.bind(performance);
  let answerTookMs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now() + answerTookMs);
  onTestFinished(() => void vi.restoreAllMocks());
  const { group } = await join(await setup());
  const { coordinator } = group as unknown as { coordinator: { heartbeat(beat: object): Promise<void> } };
  const heartbeat = coordinator.heartbeat.bind(coordinator);
  const sent: number[] = [];
  const counted = Promise.withResolvers<number>();
  coordinator.heartbeat = async (beat) => {
    sent.push(performance.now());
    if (sent.length === 2) counted.resolve(group.lastHeartbeatSentAt!);
    await heartbeat(beat);
    answerTookMs = 150;
  };
  expect(await counted.promise).toBeLessThanOrEqual(sent[0]!);
  expect(sent[0]! - (await counted.promise)).toBeLessThan(50);
});

test('no timer is set into the past', async () => {
  const timers = vi.spyOn(globalThis, 'setTimeout');
  onTestFinished(() => void vi.restoreAllMocks());
  const { topic, producer } = await setup();
  const send = await producer();
  await send.send(record(topic, 0, 'x'));
  expect(timers.mock.calls.length).toBeGreaterThan(0);
  expect(timers.mock.calls.filter(([, delayMs]) => delayMs! < 0)).toEqual([]);
});

test('a request that nobody answers ends its connection', async () => {
  const bundle = await setup();
  const proxy = await startFaultProxy({ targetPort: brokerPort() });
  onTestFinished(() => proxy.close());
  const through = clientThrough(proxy.port, bundle.log);
  let opened = 0;
  const { openSocket } = through.connection;
  through.connection.openSocket = (to) => {
    opened++;
    return openSocket!(to);
  };
  const send = await bundle.producer({ deliveryTimeoutMs: 5_000, requestTimeoutMs: 300 }, through);
  await send.send(record(bundle.topic, 0, 'first'));
  const before = opened;
  proxy.silence();
  const second = send.send(record(bundle.topic, 0, 'second'));
  await waitUntil(() => opened > before, { what: 'a new connection' });
  proxy.heal();
  expect((await second).offset).toBeGreaterThanOrEqual(1);
});

test('of a repeated header the last value is handed on, and none can reach a prototype', async () => {
  const { topic, member } = await setup();
  const plain = new kafkajs.Kafka({
    brokers: [...kafkaBrokers()],
    logLevel: kafkajs.logLevel.NOTHING,
  }).producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  await plain.connect();
  onTestFinished(() => plain.disconnect());
  const headers = JSON.parse('{"twice": ["first", "last"], "once": "only", "__proto__": "x"}');
  await plain.send({ topic, messages: [{ value: 'x', headers }] });
  const owner = await member();
  await owner.takes(1);
  expect(owner.records.items[0]!.headers).toEqual({ twice: 'last', once: 'only' });
});

test('fetch settings may change while it runs', async () => {
  const bundle = await setup();
  const { group } = await join(bundle);
  const records = createSignalledList<number>();
  const fetches = createSignalledList<number>();
  const fetch = group.fetch.bind(group);
  group.fetch = async (nodeId) => {
    fetches.push(performance.now());
    const batches = await fetch(nodeId);
    for (const { messages } of batches) if (messages.length > 0) records.push(performance.now());
    return batches;
  };
  group.minBytes = 1024 * 1024;
  group.maxWaitTime = 400;
  const send = await bundle.producer();
  await fetches.waitFor(() => fetches.items.length > 0, { what: 'a fetch with the new settings' });
  await send.send(record(bundle.topic, 0, 'x'));
  await records.waitFor(() => records.items.length > 0, { what: 'the record' });
  expect(records.items[0]! - fetches.items[0]!).toBeGreaterThan(350);
});
