import { setTimeout as delay } from 'node:timers/promises';
import { createSignalledList } from '@posthorn/testkit';
import { expect, test } from 'vitest';
import type { ConsumerOptions, TrackedRecord } from '../src/index.ts';
import { numbered, record, setup } from './setup.ts';

test('awaits the drain before it rejoins, and the next owner finds in the commit what was finished in it', async () => {
  const { topic, producer, member } = await setup({ partitions: 2 });
  const send = await producer();
  await send.sendAll([...numbered(topic, 5, 0), ...numbered(topic, 5, 1)]);
  const first = await member({
    async beforeRejoin() {
      first.events.push('drain begins');
      await delay(100);
      for (const held of first.records.items) if (held.offset === 3) held.complete();
      first.events.push('drain ends');
    },
  });
  await first.takes(10);
  const second = await member();
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
  const { topic, producer, member } = await setup();
  const send = await producer();
  await send.sendAll(numbered(topic, 4));
  const first = await member();
  await first.takes(4);
  const second = await member();
  await first.consumer.stop({
    async drain() {
      await delay(50);
      for (const held of first.records.items) if (held.offset !== 2) held.complete();
    },
  });
  await second.takes(1);
  expect(second.offsets()).toEqual([2]);
  expect(first.events.items.at(-1)).toBe('lost 0');
  expect(first.consumer.mayAct()).toBe(false);
});

test('nothing is lost and nothing is done twice while members come and go', async () => {
  const { topic, producer, member } = await setup({ partitions: 4 });
  const send = await producer();
  const done = createSignalledList<string>();
  const TOTAL = 1_200;

  // Each record takes a while; a drain waits for those under way, as the services do.
  function worker(): { options: Partial<ConsumerOptions>; drain: () => Promise<void> } {
    const underWay = new Set<Promise<void>>();
    const drain = async () => void (await Promise.all(underWay));
    let draining = false;
    const queue: TrackedRecord[] = [];
    const begin = () => {
      while (!draining && underWay.size < 16 && queue.length > 0) {
        const next = queue.shift()!;
        if (!next.live) continue;
        const work = delay(5 + (next.offset % 20)).then(() => {
          done.push(`${next.partition}/${next.offset}`);
          next.complete();
          underWay.delete(work);
          begin();
        });
        underWay.add(work);
      }
    };
    const options: Partial<ConsumerOptions> = {
      assigned: () => ({
        offer(offered) {
          queue.push(offered);
          begin();
          return true;
        },
        lost: () => {},
      }),
      async beforeRejoin() {
        draining = true;
        await drain();
      },
      rejoined() {
        draining = false;
        begin();
      },
    };
    return {
      options,
      drain: async () => {
        draining = true;
        await drain();
      },
    };
  }

  const steady = worker();
  await member(steady.options);
  const sending = (async () => {
    for (let i = 0; i < TOTAL; i += 20) {
      await send.sendAll(Array.from({ length: 20 }, (_, j) => record(topic, (i + j) % 4, `${i + j}`)));
      await delay(25);
    }
  })();
  for (let i = 0; i < 3; i++) {
    const passing = worker();
    const { consumer } = await member(passing.options);
    await delay(150);
    await consumer.stop({ drain: passing.drain });
  }
  await sending;
  await done.waitFor(() => new Set(done.items).size === TOTAL, {
    what: () => `${TOTAL} records done, ${new Set(done.items).size} so far`,
  });
  expect(done.items).toHaveLength(TOTAL);
});
