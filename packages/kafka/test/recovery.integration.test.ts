import { startFaultProxy, waitUntil } from '@posthorn/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { openAdmin, openProduceCluster } from '../src/client.ts';
import { connectKafka, createConsumer, overwriteCommitted } from '../src/index.ts';
import { clusterAnswers } from '../src/probe-cluster.ts';
import { MapEncoder } from '../src/window-encoding.ts';
import { type Bundle, brokerPort, clientThrough, numbered, record, setup } from './setup.ts';

/** Commits for partition 0 as a tool would. A broker that was just started takes a moment to find a coordinator. */
function commitFromOutside(
  { client, groupId, topic }: Bundle,
  offset: number,
  metadata: string,
): Promise<boolean> {
  const commit = () => overwriteCommitted(client, groupId, topic, [{ partition: 0, offset, metadata }]);
  return waitUntil(() => commit().then(() => true), { what: 'the commit from outside' });
}

async function putOut({ client, groupId }: Bundle): Promise<void> {
  const admin = openAdmin(client);
  await admin.connect();
  const { groups } = await admin.describeGroups([groupId]);
  await admin.disconnect();
  const cluster = openProduceCluster(client, 5_000);
  await cluster.connect();
  onTestFinished(() => cluster.disconnect());
  await cluster.refreshMetadata();
  const coordinator = (await cluster.findGroupCoordinator({ groupId })) as unknown as {
    leaveGroup(member: { groupId: string; memberId: string }): Promise<void>;
  };
  for (const { memberId } of groups[0]!.members) await coordinator.leaveGroup({ groupId, memberId });
}

const FUTURE = Buffer.from([99, 1, 2, 3, 4, 5]).toString('base64');
const DAMAGED = `${new MapEncoder(2).finish(6).slice(0, -4)}AAA=`;

test.each([
  ['damaged', DAMAGED],
  ['of an unknown version', FUTURE],
  ['missing', ''],
])(
  'a map that is %s: all from the committed offset is repeated, and the log says so',
  async (_name, metadata) => {
    const bundle = await setup();
    const { topic, producer, member, log } = bundle;
    const send = await producer();
    await send.sendAll(numbered(topic, 6));
    await commitFromOutside(bundle, 2, metadata);
    const owner = await member();
    await owner.takes(4);
    expect(owner.offsets()).toEqual([2, 3, 4, 5]);
    expect(log.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', message: expect.stringContaining('no usable map') }),
    );
  },
);

test('an offset that kafkajs gave up: starts over, and the log says so', async () => {
  const bundle = await setup();
  const { topic, producer, member, log } = bundle;
  const send = await producer();
  await send.sendAll(numbered(topic, 3));
  await commitFromOutside(bundle, -2, '');
  const owner = await member();
  await owner.takes(3);
  expect(log.lines.some(({ message }) => message.includes('given up: starting over'))).toBe(true);
});

test('an offset beyond the end of the log: starts over, and commits a map of its own again', async () => {
  const bundle = await setup();
  const { topic, producer, member, groupId, log, admin } = bundle;
  const send = await producer();
  await send.sendAll(numbered(topic, 3));
  await commitFromOutside(bundle, 50, new MapEncoder(50).finish(50));
  const owner = await member();
  owner.completes = true;
  await owner.takes(3);
  await owner.consumer.stop();
  expect(owner.events.items).toEqual(['assigned 0', 'lost 0', 'assigned 0', 'lost 0']);
  expect(log.lines.some(({ message }) => message.includes('the log ends before the committed offset'))).toBe(
    true,
  );
  expect(await admin.fetchCommitted(groupId, [topic])).toMatchObject([
    { offset: 3, metadata: new MapEncoder(3).finish(3) },
  ]);
});

test('records that retention deleted are passed over, and the log says so', async () => {
  const bundle = await setup();
  const { topic, producer, member, client, log } = bundle;
  const send = await producer();
  await send.sendAll(numbered(topic, 6));
  await commitFromOutside(bundle, 1, new MapEncoder(1).finish(1));
  const admin = openAdmin(client);
  await admin.connect();
  await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] });
  await admin.disconnect();
  const owner = await member();
  await owner.takes(2);
  expect(owner.offsets()).toEqual([4, 5]);
  expect(log.lines.some(({ message }) => message.includes('deleted by retention'))).toBe(true);
});

test('a member that was put out drops all it had, and what it finishes later changes nothing', async () => {
  const bundle = await setup();
  const { topic, producer, member, groupId, admin } = bundle;
  const send = await producer();
  await send.sendAll(numbered(topic, 3));
  const owner = await member();
  await owner.takes(3);
  const before = [...owner.records.items];
  await putOut(bundle);
  await owner.takes(6);
  expect(owner.events.items).toEqual(['assigned 0', 'lost 0', 'assigned 0']);
  for (const dropped of before) dropped.complete();
  expect(before.map(({ live }) => live)).toEqual([false, false, false]);
  owner.records.items[3]!.complete();
  await owner.consumer.stop();
  expect(await admin.fetchCommitted(groupId, [topic])).toMatchObject([{ offset: 1 }]);
});

test('cut connections cost neither records nor repetitions', async () => {
  const { topic, producer, member, log } = await setup({ partitions: 2 });
  const send = await producer();
  const proxy = await startFaultProxy({ targetPort: brokerPort() });
  onTestFinished(() => proxy.close());
  const owner = await member({}, clientThrough(proxy.port, log));
  owner.completes = true;
  await send.sendAll([...numbered(topic, 10, 0), ...numbered(topic, 10, 1)]);
  await owner.takes(20);
  proxy.cut();
  await send.sendAll([...numbered(topic, 10, 0), ...numbered(topic, 10, 1)]);
  proxy.heal();
  await owner.takes(40);
  expect(new Set(owner.records.items.map((r) => `${r.partition}/${r.offset}`)).size).toBe(40);
  expect(owner.records.items).toHaveLength(40);
  expect(owner.fatal).toEqual([]);
});

test('the fence closes while nobody answers heartbeats, and opens when somebody does', async () => {
  const { member, log } = await setup();
  const proxy = await startFaultProxy({ targetPort: brokerPort() });
  onTestFinished(() => proxy.close());
  const { consumer } = await member({ sessionTimeoutMs: 6_000 }, clientThrough(proxy.port, log));
  expect([consumer.mayAct(), consumer.mayBegin()]).toEqual([true, true]);
  proxy.silence();
  await waitUntil(() => !consumer.mayAct(), { what: 'the fence closes', timeoutMs: 5_900 });
  expect(consumer.mayBegin()).toBe(false);
  proxy.heal();
  await waitUntil(() => consumer.mayBegin(), { what: 'the fence opens' });
});

test('a map that nears its limit pauses the partition until it has shrunk', async () => {
  const { topic, producer, member } = await setup();
  const send = await producer();
  const owner = await member({ maxEncodedMapChars: 64, fetch: { maxBytesPerPartition: 2_000 } });
  await send.sendAll(numbered(topic, 100));
  await owner.takes(100);
  const held = [...owner.records.items];
  for (const each of held) if (each.offset % 2 === 1) each.complete();
  const paused = () => owner.consumer.stats().partitions[0]!.paused;
  await waitUntil(paused, { what: 'the partition is paused' });
  await send.send(record(topic, 0, 'one more'));
  for (const each of held) each.complete();
  await owner.takes(101);
  expect(paused()).toBe(false);
});

test('a handler that throws ends the consumer instead of passing over its record', async () => {
  const { topic, producer, member } = await setup();
  const send = await producer();
  const owner = await member();
  owner.accepts = () => {
    owner.events.push('threw');
    throw new Error('a bug');
  };
  await send.send(record(topic, 0, 'x'));
  await owner.events.waitFor(() => owner.fatal.length > 0 || owner.events.items.includes('threw'), {
    what: 'the bug',
  });
  await waitUntil(() => owner.fatal.length > 0, { what: 'onFatal' });
  expect(owner.fatal[0]!.message).toBe('a bug');
});

test('a start on an unknown topic fails, and its stop is safe; so is one before the start', async () => {
  const { topic, client, groupId } = await setup();
  const options = { groupId, assigned: () => ({ offer: () => true, lost: () => {} }), onFatal: () => {} };
  const unknown = createConsumer(client, { ...options, topics: [`${topic}.none`] });
  await expect(unknown.start()).rejects.toThrow('does not host this topic');
  await unknown.stop();
  const unstarted = createConsumer(client, { ...options, topics: [topic] });
  expect([unstarted.mayAct(), unstarted.assignment, unstarted.stats().generation]).toEqual([false, [], null]);
  await Promise.all([unstarted.stop(), unstarted.stop()]);
  await unstarted.start();
  expect(unstarted.mayAct()).toBe(false);
});

test('a probe tells a cluster that answers from one that is away', async () => {
  const { client, log, topic } = await setup();
  expect(await clusterAnswers(client, [topic])).toBe(true);
  const away = connectKafka({ brokers: ['127.0.0.1:1'], clientId: 'kafka-test' }, log);
  expect(await clusterAnswers(away, [topic])).toBe(false);
});

test('stats show the lag of a partition, and there is nothing to warn of on a quiet day', async () => {
  const { topic, producer, member, log } = await setup();
  const send = await producer();
  const owner = await member();
  owner.accepts = ({ offset }) => offset < 2;
  await send.sendAll(numbered(topic, 5));
  await owner.takes(2);
  const { partitions, generation, lastHeartbeatAgeMs } = owner.consumer.stats();
  expect(partitions).toMatchObject([{ topic, partition: 0, lag: 3, uncommittedSpan: 2, paused: true }]);
  expect(generation).toBe(1);
  expect(lastHeartbeatAgeMs).toBeLessThan(5_000);
  await owner.consumer.stop();
  expect(log.lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
});
