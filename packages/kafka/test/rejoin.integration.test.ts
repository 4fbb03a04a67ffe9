import { setTimeout as delay } from 'node:timers/promises';
import { createSignalledList, type SignalledList } from '@posthorn/testkit';
import { expect, test } from 'vitest';
import type { ConsumerOptions, TrackedRecord } from '../src/index.ts';
import { numbered, record, setup } from './setup.ts';

test('awaits the drain before it rejoins, and the next owner finds in the commit what was finished in it', async () => {
  const { topic, producer, member, admin, groupId } = await setup({ partitions: 2 });
  const send = await producer();
  await send.sendAll([...numbered(topic, 5, 0), ...numbered(topic, 5, 1)]);
  const drained = Promise.withResolvers<void>();
  const first = await member({
    async beforeRejoin() {
      first.events.push('drain begins');
      await drained.promise;
      for (const held of first.records.items) if (held.offset === 3) held.complete();
      first.events.push('drain ends');
    },
  });
  await first.takes(10);
  const joining = member();
  await first.events.waitFor(() => first.events.items.includes('drain begins'), { what: 'the drain' });
  const uncommitted = { offset: -1 };
  expect(await admin.fetchCommitted(groupId, [topic])).toMatchObject([uncommitted, uncommitted]);
  drained.resolve();
  const second = await joining;
  await second.takes(4);

  const moved = second.consumer.assignment[0]!.partition;
  expect(second.offsets(moved)).toEqual([0, 1, 2, 4]);
  expect(first.events.items.slice(2)).toEqual(['drain begins', 'drain ends', `lost ${moved}`]);
});

test('keeps the window, the records under way and the position of a partition that it keeps', async () => {
  const { topic, producer, member } = await setup({ partitions: 2 });
  const send = await producer();
  await send.sendAll([...numbered(topic, 5, 0), ...numbered(topic, 5, 1)]);
  const first = await member();
  await first.takes(10);
  const second = await member();
  await second.takes(5);
  const kept = first.consumer.assignment[0]!.partition;
  const moved = 1 - kept;

  const live = (partition: number) => first.records.items.find((r) => r.partition === partition)!.live;
  expect([live(kept), live(moved)]).toEqual([true, false]);
  await send.send(record(topic, kept, 'after'));
  await first.takes(11);
  expect(first.offsets(kept)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(second.offsets(kept)).toEqual([]);
});

test('a member that joins takes its fair share and leaves the rest where it was', async () => {
  const { member } = await setup({ partitions: 8 });
  const first = await member();
  await first.owns([0, 1, 2, 3, 4, 5, 6, 7]);
  const second = await member();
  await second.owns([4, 5, 6, 7]);
  const third = await member();
  await third.owns([3, 7]);
  await first.owns([0, 1, 2]);
  await second.owns([4, 5, 6]);
  expect(first.events.items.filter((event) => event.startsWith('assigned'))).toHaveLength(8);
});

test('a stop drains, commits and leaves, so that the next owner has everything at once', async () => {
  const { topic, producer, member, admin, groupId } = await setup();
  const send = await producer();
  await send.sendAll(numbered(topic, 4));
  const first = await member();
  await first.takes(4);
  const second = await member();
  const drained = Promise.withResolvers<void>();
  const stopped = first.consumer.stop({
    async drain() {
      await drained.promise;
      for (const held of first.records.items) if (held.offset !== 2) held.complete();
    },
  });
  expect(await admin.fetchCommitted(groupId, [topic])).toMatchObject([{ offset: -1 }]);
  expect(first.consumer.mayAct()).toBe(true);
  drained.resolve();
  await stopped;
  await second.takes(1);
  expect(second.offsets()).toEqual([2]);
  expect(first.events.items.at(-1)).toBe('lost 0');
  expect(first.consumer.mayAct()).toBe(false);
});

test('nothing is lost and nothing is done twice while members come and go', async () => {
  const { topic, producer, member } = await setup({ partitions: 4 });
  const send = await producer();
  const done = createSignalledList<string>();

  const steady = createWorker(done);
  await member(steady.options);
  let allPassed = false;
  let sent = 0;
  const sending = (async () => {
    while (!allPassed || sent < 1_200) {
      await send.sendAll(Array.from({ length: 20 }, (_, i) => record(topic, (sent + i) % 4, `${sent + i}`)));
      sent += 20;
      await done.waitFor(() => done.items.length > sent - 200, { what: 'room for more records' });
    }
  })();
  for (let i = 0; i < 3; i++) {
    const passing = createWorker(done);
    const { consumer } = await member(passing.options);
    await done.waitFor(() => passing.finished() >= 50, { what: 'some records for who passes' });
    await consumer.stop({ drain: passing.drain });
  }
  allPassed = true;
  await sending;
  await done.waitFor(() => new Set(done.items).size === sent, {
    what: () => `${sent} records done, ${new Set(done.items).size} so far`,
  });
  expect(done.items).toHaveLength(sent);
});

interface Worker {
  options: Partial<ConsumerOptions>;
  drain(): Promise<void>;
  /** How many records it finished. */
  finished(): number;
}

/** Each record takes it a while; its drain waits for those under way, as the services do. */
function createWorker(done: SignalledList<string>): Worker {
  const underWay = new Set<Promise<void>>();
  const queue: TrackedRecord[] = [];
  let draining = false;
  let finished = 0;
  const begin = () => {
    while (!draining && underWay.size < 16 && queue.length > 0) {
      const next = queue.shift()!;
      if (!next.live) continue;
      const work = delay(5 + (next.offset % 20)).then(() => {
        finished++;
        done.push(`${next.partition}/${next.offset}`);
        next.complete();
        underWay.delete(work);
        begin();
      });
      underWay.add(work);
    }
  };
  const drain = async () => {
    draining = true;
    await Promise.all(underWay);
  };
  return {
    options: {
      assigned: () => ({
        offer(offered) {
          queue.push(offered);
          begin();
          return true;
        },
        lost: () => {},
      }),
      beforeRejoin: drain,
      rejoined() {
        draining = false;
        begin();
      },
    },
    drain,
    finished: () => finished,
  };
}
