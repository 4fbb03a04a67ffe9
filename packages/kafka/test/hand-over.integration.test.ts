import { startFaultProxy, waitUntil } from '@posthorn/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { connectKafka, createConsumer } from '../src/index.ts';
import { brokerPort, clientThrough, numbered, record, setup } from './setup.ts';

test('a stop with a slot under way stalls nobody: its lane moves with the slot held, and may still be settled', async () => {
  const { topic, producer, member } = await setup();
  await (await producer()).sendAll(numbered(topic, 5));
  const leaving = await member({
    drainTimeoutMs: 100,
    underWay: () => [{ offset: 2, slot: 0, leftMs: 60_000 }],
  });
  await leaving.takes(5);
  for (const done of leaving.records.items.slice(0, 2)) done.complete();
  const next = await member();

  const answer = Promise.withResolvers<void>();
  let isOver = false;
  const stopped = leaving.consumer.stop({ drain: () => answer.promise }).then(() => {
    isOver = true;
  });
  const startedMs = performance.now();
  await next.takes(3);
  expect(performance.now() - startedMs).toBeLessThan(10_000);

  expect(next.offsets()).toEqual([2, 3, 4]);
  const [held, ...free] = next.records.items;
  expect(held!.heldForMs(0)).toBeGreaterThan(30_000);
  expect(free.map((each) => each.heldForMs(0))).toEqual([0, 0]);
  expect(next.consumer.stats().partitions).toMatchObject([{ held: 1 }]);
  expect([leaving.consumer.mayAct(), leaving.consumer.mayBegin(), isOver]).toEqual([false, false, false]);
  expect(leaving.records.items.map((each) => each.mayStillSettle(0))).toEqual([
    false,
    false,
    true,
    false,
    false,
  ]);

  answer.resolve();
  await stopped;
  held!.complete();
  expect([held!.heldForMs(0), next.consumer.stats().partitions[0]!.held]).toEqual([0, 0]);
});

test('a lane that moves in a rebalance takes its held slots along, through every owner', async () => {
  const { topic, producer, member } = await setup({ partitions: 2 });
  await (await producer()).sendAll([...numbered(topic, 3, 0), ...numbered(topic, 3, 1)]);
  const first = await member({ underWay: () => [{ offset: 1, slot: 0, leftMs: 60_000 }] });
  await first.takes(6);
  const second = await member();
  await second.takes(3);
  const moved = second.consumer.assignment[0]!.partition;
  // The new owner may have its lane before the old one has read that it lost it.
  await waitUntil(() => first.consumer.assignment.length === 1, { what: 'the first member to know' });
  const settleable = first.records.items.filter((each) => each.mayStillSettle(0));
  expect(settleable).toMatchObject([{ partition: moved, offset: 1, live: false }]);
  expect(second.records.items[1]!.heldForMs(0)).toBeGreaterThan(50_000);

  second.records.items[0]!.complete();
  await second.consumer.stop();
  await first.takes(8);
  const back = first.records.items.slice(6);
  expect(back.map(({ partition, offset }) => [partition, offset])).toEqual([
    [moved, 1],
    [moved, 2],
  ]);
  expect(back[0]!.heldForMs(0)).toBeGreaterThan(50_000);
  expect(back[1]!.heldForMs(0)).toBe(0);
});

test('what was passed over is read again where it is, also after a rebalance, and tells the log as it was', async () => {
  const { topic, producer, member } = await setup({ partitions: 2 });
  const send = await producer();
  await send.sendAll([...numbered(topic, 2_000, 0), ...numbered(topic, 2_000, 1)]);
  const logs: string[] = [];
  const takesOnly = new Set<number>();
  const owner = await member({
    fetch: { idleWaitMs: 50, maxBytesPerPartition: 20_000 },
    assigned: (_topic, partition, { start, end }) => {
      logs.push(`${partition}: ${start} to ${end}`);
      return {
        offer(offered) {
          if (offered.partition === 0 && !takesOnly.has(offered.offset)) offered.passOver();
          else owner.records.push(offered);
          return true;
        },
        lost: () => owner.events.push(`lost ${partition}`),
      };
    },
  });
  await owner.takes(2_000);
  const stats = () => owner.consumer.stats().partitions.find(({ partition }) => partition === 0)!;
  await waitUntil(() => stats().passedOver === 2_000, {
    what: 'all of partition 0 is passed over',
  });
  expect(logs.sort()).toEqual(['0: 0 to 2000', '1: 0 to 2000']);
  expect(stats()).toMatchObject({ lag: 0, uncommittedSpan: 2_000 });

  for (const offset of [5, 1_990, 2_000]) takesOnly.add(offset);
  const other = await member();
  await other.takes(1);
  const kept = owner.consumer.assignment[0]!.partition;
  expect(kept).toBe(0);
  owner.consumer.reread(topic, 0, 3);
  await owner.takes(2_002);
  await send.send(record(topic, 0, 'the next'));
  await owner.takes(2_003);
  expect(owner.offsets(0)).toEqual([5, 1_990, 2_000]);
  expect(stats()).toMatchObject({ passedOver: 1_998, paused: false });
});

test('a stop with the broker away ends in bounded time', async () => {
  const { member, log } = await setup();
  const proxy = await startFaultProxy({ targetPort: brokerPort() });
  onTestFinished(() => proxy.close());
  const underWay = () => [{ offset: 0, slot: 0, leftMs: 60_000 }];
  const options = { underWay, drainTimeoutMs: 50, rebalanceTimeoutMs: 1_000 };
  const owner = await member(options, clientThrough(proxy.port, log));
  proxy.cut();
  const startedMs = performance.now();
  await owner.consumer.stop({ drain: async () => {} });
  expect(performance.now() - startedMs).toBeLessThan(20_000);
  expect(owner.events.items).toEqual(['assigned 0', 'lost 0']);
});

test('a stop before the first join ends it, with the broker away too', async () => {
  const { log, topic, groupId } = await setup();
  const away = connectKafka({ brokers: ['127.0.0.1:1'], clientId: 'kafka-test' }, log);
  const consumer = createConsumer(away, {
    groupId,
    topics: [topic],
    assigned: () => ({ offer: () => true, lost: () => {} }),
    onFatal: () => {},
  });
  const started = consumer.start();
  await consumer.stop();
  await started;
  expect([consumer.mayAct(), consumer.assignment]).toEqual([false, []]);
});
