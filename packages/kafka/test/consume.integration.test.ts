import { expect, test } from 'vitest';
import { numbered, record, setup } from './setup.ts';

test('hands on key, value, headers and the append time of what was produced', async () => {
  const { topic, producer, member } = await setup({ config: { 'message.timestamp.type': 'LogAppendTime' } });
  const send = await producer();
  const headers = { ce_id: 'a', empty: '', ünï: '😀' };
  const ack = await send.send({
    topic,
    partition: 0,
    key: 'schlüssel',
    value: Buffer.from([0, 255]),
    headers,
  });
  await send.send({ topic, partition: 0, key: null, value: null, headers: {} });
  const owner = await member();
  await owner.takes(2);

  const [first, second] = owner.records.items;
  expect(first).toMatchObject({
    topic,
    partition: 0,
    offset: 0,
    key: 'schlüssel',
    headers,
    slots: 1,
    live: true,
  });
  expect([...first!.value]).toEqual([0, 255]);
  expect(first!.timestampMs).toBe(ack.appendTimeMs);
  expect(second).toMatchObject({ key: null, headers: {} });
  expect(second!.value).toHaveLength(0);
});

test('reads what was compressed', async () => {
  const { topic, producer, member } = await setup();
  const send = await producer({ compression: 'gzip' });
  await send.sendAll(numbered(topic, 50));
  const owner = await member();
  await owner.takes(50);
  expect(owner.records.items.map(({ value }) => value.toString())).toEqual(
    Array.from({ length: 50 }, (_, i) => `record ${i}`),
  );
});

test('skips what was finished above the committed offset, slot by slot', async () => {
  const { topic, producer, member, admin, groupId } = await setup();
  const send = await producer();
  await send.sendAll(numbered(topic, 20));
  const slotCount = () => 3;
  const first = await member({ slotCount });
  await first.takes(20);
  for (const { offset, complete } of first.records.items.map((r) => ({ offset: r.offset, complete: r }))) {
    if (offset < 5 || offset > 7) complete.complete();
  }
  first.records.items[6]!.complete(1);
  await first.consumer.stop();
  expect(await admin.fetchCommitted(groupId, [topic])).toMatchObject([{ offset: 5 }]);

  await send.send(record(topic, 0, 'new'));
  const second = await member({ slotCount });
  await second.takes(4);
  expect(second.offsets()).toEqual([5, 6, 7, 20]);
  expect([0, 1, 2].map((slot) => second.records.items[1]!.isDone(slot))).toEqual([false, true, false]);
});

test('offers a refused record again after the partition was resumed', async () => {
  const { topic, producer, member } = await setup({ partitions: 2 });
  const send = await producer();
  await send.sendAll(numbered(topic, 10));
  const owner = await member({
    assigned: (_topic, partition) => ({
      offer(offered) {
        if (offered.partition === 0 && owner.records.items.length >= 4 && !owner.accepts(offered)) {
          owner.events.push(`refused ${offered.offset}`);
          return false;
        }
        owner.records.push(offered);
        return true;
      },
      lost: () => owner.events.push(`lost ${partition}`),
    }),
  });
  owner.accepts = () => false;
  await owner.events.waitFor(() => owner.events.items.includes('refused 4'), { what: 'a refusal' });
  expect(owner.consumer.stats().partitions[0]).toMatchObject({ paused: true, uncommittedSpan: 4 });
  await send.send(record(topic, 1, 'a neighbour'));
  await owner.takes(5);
  expect(owner.offsets(1)).toEqual([0]);

  owner.accepts = () => true;
  owner.consumer.resume(topic, 0);
  await owner.takes(11);
  expect(owner.offsets(0)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
