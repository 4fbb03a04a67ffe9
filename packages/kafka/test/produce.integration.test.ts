import { startFaultProxy, waitUntil } from '@posthorn/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { connectKafka, createProducer, type ProduceError, type ProduceReport } from '../src/index.ts';
import { brokerPort, clientThrough, numbered, record, setup } from './setup.ts';

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    (error: ProduceError) => error,
  );

async function proxied() {
  const proxy = await startFaultProxy({ targetPort: brokerPort() });
  onTestFinished(() => proxy.close());
  return proxy;
}

test('acknowledges with the offsets of the log, in the order of each partition', async () => {
  const { topic, producer, admin } = await setup({ partitions: 3 });
  const send = await producer();
  const records = [0, 1, 2].flatMap((partition) => numbered(topic, 40, partition));
  const acks = await send.sendAll(records);
  for (const partition of [0, 1, 2]) {
    const offsets = acks.filter((ack) => ack.partition === partition).map(({ offset }) => offset);
    expect(offsets).toEqual(Array.from({ length: 40 }, (_, i) => i));
  }
  expect(acks[0]!.appendTimeMs).toBeNull();
  expect(await admin.endOffsets(topic)).toEqual(
    [0, 1, 2].map((partition) => ({ partition, low: 0, high: 40 })),
  );
});

test('many records share few requests', async () => {
  const { topic, producer } = await setup();
  const reports: ProduceReport[] = [];
  const send = await producer({ onRequest: (report) => reports.push(report) });
  await send.sendAll(numbered(topic, 500));
  expect(reports.length).toBeLessThan(5);
  expect(reports.reduce((sum, { records }) => sum + records, 0)).toBe(500);
});

test('only the record that is too large for the topic is refused', async () => {
  const { topic, producer } = await setup({ config: { 'max.message.bytes': '2000' } });
  const send = await producer();
  const small = send.send(record(topic, 0, 'small'));
  const large = failure(send.send(record(topic, 0, 'x'.repeat(5_000))));
  expect(await small).toMatchObject({ offset: 0 });
  expect(await large).toMatchObject({ code: 'not_accepted' });
  expect((await large)!.message).toContain('MESSAGE_TOO_LARGE');
});

test('an unknown topic is not accepted when the time is up, and does not keep others from going', async () => {
  const { topic, producer } = await setup();
  const send = await producer({ deliveryTimeoutMs: 600 });
  const failed = failure(send.send(record(`${topic}.none`, 0, 'x')));
  expect(await send.send(record(topic, 0, 'x'))).toMatchObject({ offset: 0 });
  expect(await failed).toMatchObject({ code: 'not_accepted' });
});

test('a topic that is deleted does not keep others from going', async () => {
  const { topic, producer, admin } = await setup();
  const doomed = `${topic}.doomed`;
  await admin.ensureTopics([{ name: doomed, partitions: 1, replicationFactor: 1, config: {} }]);
  const send = await producer({ deliveryTimeoutMs: 1_500 });
  await send.sendAll([record(doomed, 0, 'x'), record(topic, 0, 'x')]);
  await admin.deleteTopicsWithPrefix(doomed);
  // The controller answers before the broker that leads the topic has let go of it.
  const probe = await producer({ deliveryTimeoutMs: 200 });
  await waitUntil(() => failure(probe.send(record(doomed, 0, 'x'))), { what: 'the topic is gone' });
  const failed = failure(send.send(record(doomed, 0, 'x')));
  expect(await send.send(record(topic, 0, 'x'))).toMatchObject({ offset: 1 });
  expect(await failed).toMatchObject({ code: 'outcome_unknown' });
  const other = `${topic}.other`;
  await admin.ensureTopics([{ name: other, partitions: 1, replicationFactor: 1, config: {} }]);
  expect(await send.send(record(other, 0, 'x'))).toMatchObject({ offset: 0 });
});

test('with the cluster away nothing is accepted, in bounded time', async () => {
  const { topic, producer, log } = await setup();
  const away = connectKafka({ brokers: ['127.0.0.1:1'], clientId: 'kafka-test' }, log);
  const send = await producer({ deliveryTimeoutMs: 400 }, away);
  const startedMs = performance.now();
  expect(await failure(send.send(record(topic, 0, 'x')))).toMatchObject({ code: 'not_accepted' });
  expect(performance.now() - startedMs).toBeLessThan(10_000);
  await send.stop();
});

test('a reply that is lost leaves the outcome unknown, and the next send finds a new connection', async () => {
  const { topic, producer, log, admin } = await setup();
  const proxy = await proxied();
  const send = await producer(
    { deliveryTimeoutMs: 900, requestTimeoutMs: 400 },
    clientThrough(proxy.port, log),
  );
  await send.send(record(topic, 0, 'first'));
  proxy.silence();
  expect(await failure(send.send(record(topic, 0, 'second')))).toMatchObject({ code: 'outcome_unknown' });
  proxy.heal();
  await send.send(record(topic, 0, 'third'));
  const [end] = await admin.endOffsets(topic);
  expect(end!.high).toBeGreaterThanOrEqual(2);
});

test('a connection that is cut costs a resend, not the record', async () => {
  const { topic, producer, log } = await setup();
  const proxy = await proxied();
  const send = await producer({}, clientThrough(proxy.port, log));
  await send.send(record(topic, 0, 'first'));
  proxy.cut();
  const sent = send.send(record(topic, 0, 'second'));
  setTimeout(() => proxy.heal(), 150);
  expect(await sent).toMatchObject({ offset: 1 });
});

test('of many the first failure is told once all have settled', async () => {
  const { topic, producer, admin } = await setup({ config: { 'max.message.bytes': '2000' } });
  const send = await producer();
  const all = send.sendAll([
    record(topic, 0, 'a'),
    record(topic, 0, 'x'.repeat(5_000)),
    record(topic, 0, 'b'),
  ]);
  expect(await failure(all)).toMatchObject({ code: 'not_accepted' });
  expect([send.bufferedRecords, send.bufferedBytes]).toEqual([0, 0]);
  expect(await admin.endOffsets(topic)).toMatchObject([{ high: 2 }]);
});

test('nothing is sent while the fence is closed', async () => {
  const { topic, producer, admin } = await setup();
  const send = await producer({ deliveryTimeoutMs: 200, mayStart: () => false });
  expect(await failure(send.send(record(topic, 0, 'x')))).toMatchObject({ code: 'not_accepted' });
  expect(await admin.endOffsets(topic)).toEqual([{ partition: 0, low: 0, high: 0 }]);
});

test('a stop sends what is buffered; it is safe twice and before the start', async () => {
  const { topic, producer, client, admin } = await setup();
  const send = await producer();
  const acks = send.sendAll(numbered(topic, 20));
  await Promise.all([send.stop(), send.stop()]);
  expect(await acks).toHaveLength(20);
  expect(await admin.endOffsets(topic)).toMatchObject([{ high: 20 }]);
  expect(await failure(send.send(record(topic, 0, 'late')))).toMatchObject({ code: 'not_accepted' });

  const unstarted = createProducer(client, { deliveryTimeoutMs: 100 });
  await unstarted.stop();
  await unstarted.start();
  expect(await failure(unstarted.send(record(topic, 0, 'x')))).toMatchObject({ code: 'not_accepted' });
});
