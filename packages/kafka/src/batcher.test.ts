import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Batcher } from './batcher.ts';
import type { BatcherOptions } from './batcher-options.ts';
import type { OutboundRecord, ProduceError, ProduceReport } from './outbound.ts';
import type { PartitionReply } from './produce-request.ts';
import type { ProduceTransport, SendBatch, SendOutcome } from './produce-transport.ts';

interface Sent {
  node: number;
  batches: readonly SendBatch[];
  beforeWrite: () => void;
  answer(outcome: SendOutcome): Promise<void>;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setup(options: Partial<BatcherOptions> = {}, route: (partition: number) => number | null = () => 1) {
  const sent: Sent[] = [];
  const reports: ProduceReport[] = [];
  const refreshes: string[][] = [];
  const cluster = { route, refresh: async () => {} };
  const transport: ProduceTransport = {
    route: (_topic, partition) => cluster.route(partition),
    refresh(topics) {
      refreshes.push(topics);
      return cluster.refresh();
    },
    send: (node, batches, beforeWrite) =>
      new Promise((resolve) => {
        const answer = async (outcome: SendOutcome) => {
          resolve(outcome);
          await vi.advanceTimersByTimeAsync(0);
        };
        sent.push({ node, batches, beforeWrite, answer });
      }),
  };
  const batcher = new Batcher(transport, {
    maxLingerMs: 3,
    maxBatchBytes: 1_000,
    maxRequestBytes: 10_000,
    maxBufferedBytes: 5_000,
    maxBufferedRecords: 50,
    maxInFlight: 2,
    deliveryTimeoutMs: 1_000,
    retryBackoffMs: { min: 50, max: 400 },
    fencePollMs: 50,
    mayStart: () => true,
    onRequest: (report) => reports.push(report),
    nowMs: () => performance.now(),
    ...options,
  });
  const turn = () => vi.advanceTimersByTimeAsync(0);
  return { batcher, sent, reports, refreshes, cluster, turn };
}

function record(text = 'x', partition = 0): OutboundRecord {
  return { topic: 't', partition, key: null, value: Buffer.from(text), headers: {} };
}

function acknowledged(batches: readonly SendBatch[], baseOffset = 0, errorCode = 0): SendOutcome {
  const partitions = batches.map(
    ({ topic, partition }): PartitionReply => ({
      topic,
      partition,
      errorCode,
      baseOffset,
      appendTimeMs: null,
    }),
  );
  return { kind: 'replied', partitions };
}

const texts = (sent: Sent | undefined) =>
  sent?.batches.map(({ records }) => records.map(({ record }) => record.value!.toString()).join(' '));

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    (error: ProduceError) => error,
  );

test('an idle producer sends at once, all of one turn together', async () => {
  const { batcher, sent, turn } = setup();
  const acks = Promise.all([
    batcher.send(record('a')),
    batcher.send(record('b')),
    batcher.send(record('c', 1)),
  ]);
  await turn();
  expect(texts(sent[0])).toEqual(['a b', 'c']);
  await sent[0]!.answer(acknowledged(sent[0]!.batches, 7));
  expect((await acks).map(({ offset }) => offset)).toEqual([7, 8, 7]);
  expect([batcher.bufferedRecords, batcher.bufferedBytes]).toEqual([0, 0]);
});

test('under load records wait for company no longer than the linger', async () => {
  const { batcher, sent, turn } = setup();
  void batcher.send(record('a'));
  await turn();
  void batcher.send(record('b', 1));
  await vi.advanceTimersByTimeAsync(2);
  void batcher.send(record('c', 2));
  expect(sent).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(texts(sent[1])).toEqual(['b', 'c']);
});

test('a full batch does not wait', async () => {
  const { batcher, sent, turn } = setup();
  void batcher.send(record('a'));
  await turn();
  void batcher.send(record('y'.repeat(990), 1));
  void batcher.send(record('z'.repeat(990), 1));
  await turn();
  expect(sent[1]!.batches[0]!.records).toHaveLength(1);
});

test('of one partition one request is under way at a time', async () => {
  const { batcher, sent, turn } = setup();
  void batcher.send(record('a'));
  await turn();
  void batcher.send(record('b'));
  await vi.advanceTimersByTimeAsync(100);
  expect(sent).toHaveLength(1);
  await sent[0]!.answer(acknowledged(sent[0]!.batches));
  await turn();
  expect(texts(sent[1])).toEqual(['b']);
});

test('requests go to the leaders, and no more than allowed are under way', async () => {
  const { batcher, sent, turn } = setup({}, (partition) => partition);
  for (const partition of [1, 2, 3]) void batcher.send(record('x', partition));
  await turn();
  expect(sent.map(({ node }) => node)).toEqual([1, 2]);
  await sent[0]!.answer(acknowledged(sent[0]!.batches));
  await vi.advanceTimersByTimeAsync(3);
  expect(sent.map(({ node }) => node)).toEqual([1, 2, 3]);
});

test('refuses at once what would be more than it may buffer', async () => {
  const { batcher } = setup({ maxBufferedRecords: 2 });
  void batcher.send(record());
  void batcher.send(record());
  await expect(batcher.send(record())).rejects.toMatchObject({ code: 'not_accepted' });
  const small = setup({ maxBufferedBytes: 100 });
  await expect(small.batcher.send(record('x'.repeat(100)))).rejects.toMatchObject({ code: 'not_accepted' });
  expect(small.batcher.bufferedRecords).toBe(0);
});

test('sends again what a reply does not cover', async () => {
  const { batcher, sent, turn, reports } = setup();
  const first = batcher.send(record('a'));
  const second = batcher.send(record('b', 1));
  await turn();
  sent[0]!.beforeWrite();
  await sent[0]!.answer(acknowledged([sent[0]!.batches[0]!], 4));
  expect(await first).toMatchObject({ offset: 4 });
  await vi.advanceTimersByTimeAsync(50);
  expect(texts(sent[1])).toEqual(['b']);
  await sent[1]!.answer(acknowledged(sent[1]!.batches, 9));
  expect(await second).toMatchObject({ partition: 1, offset: 9 });
  expect(reports.map(({ outcome }) => outcome)).toEqual(['resent', 'acknowledged']);
});

test('a resend keeps the order of its partition', async () => {
  const { batcher, sent, turn } = setup();
  void batcher.send(record('a'));
  await turn();
  void batcher.send(record('b'));
  await sent[0]!.answer({ kind: 'failed', cause: new Error('cut') });
  await vi.advanceTimersByTimeAsync(50);
  expect(texts(sent[1])).toEqual(['a b']);
});

test('what was written and never answered has an unknown outcome', async () => {
  const { batcher, sent, turn } = setup();
  const failed = failure(batcher.send(record()));
  await turn();
  sent[0]!.beforeWrite();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await failed).toMatchObject({ code: 'outcome_unknown' });
});

test('what was once written has an unknown outcome, also when its last try was refused', async () => {
  const { batcher, sent, turn } = setup();
  const failed = failure(batcher.send(record()));
  await turn();
  sent[0]!.beforeWrite();
  await sent[0]!.answer({ kind: 'failed', cause: new Error('cut') });
  await vi.advanceTimersByTimeAsync(50);
  await sent[1]!.answer(acknowledged(sent[1]!.batches, 0, 87));
  expect(await failed).toMatchObject({ code: 'outcome_unknown' });
});

test('what was never written was not accepted, and is not written afterwards', async () => {
  const { batcher, sent, turn } = setup();
  const failed = failure(batcher.send(record()));
  await turn();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await failed).toMatchObject({ code: 'not_accepted' });
  expect(() => sent[0]!.beforeWrite()).toThrow('timed out');
});

test('nothing is written past its deadline, though a process that was stopped has not timed it out yet', async () => {
  let nowMs = 0;
  const { batcher, sent, turn } = setup({ deliveryTimeoutMs: 1_000, nowMs: () => nowMs });
  const lost = failure(batcher.send(record()));
  await turn();
  nowMs = 1_000;
  expect(() => sent[0]!.beforeWrite()).toThrow('timed out');
  await sent[0]!.answer({ kind: 'failed', cause: new Error('not written') });
  await vi.advanceTimersByTimeAsync(1_000);
  expect((await lost)?.code).toBe('not_accepted');
});

test('what waits for a leader is not accepted when its time is up, and says why', async () => {
  const { batcher, sent, cluster } = setup({}, () => null);
  cluster.refresh = () => Promise.reject(new Error('no broker answers'));
  const failed = failure(batcher.send(record()));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await failed).toMatchObject({ code: 'not_accepted', message: 't/0: no broker answers' });
  expect(sent).toHaveLength(0);
});

test('asks for leaders ever more slowly, and sends when there is one', async () => {
  const { batcher, sent, cluster, refreshes } = setup({ deliveryTimeoutMs: 10_000 }, () => null);
  void batcher.send(record());
  await vi.advanceTimersByTimeAsync(2_000);
  expect(refreshes.length).toBeLessThan(10);
  expect(refreshes.length).toBeGreaterThan(4);
  cluster.route = () => 1;
  await vi.advanceTimersByTimeAsync(400);
  expect(sent).toHaveLength(1);
});

test.each([
  [19, 'not_accepted', 'NOT_ENOUGH_REPLICAS'],
  [5, 'not_accepted', 'LEADER_NOT_AVAILABLE'],
  [6, 'outcome_unknown', 'NOT_LEADER_OR_FOLLOWER'],
  [20, 'outcome_unknown', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND'],
  [7, 'outcome_unknown', 'REQUEST_TIMED_OUT'],
])('error %i is tried again until the time is up, then is %s', async (errorCode, code, name) => {
  const { batcher, sent, turn } = setup();
  const failed = failure(batcher.send(record()));
  await turn();
  await sent[0]!.answer(acknowledged(sent[0]!.batches, 0, errorCode));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sent.length).toBeGreaterThan(1);
  expect(await failed).toMatchObject({ code });
  expect((await failed)!.message).toContain(name);
});

test.each([
  [87, 'not_accepted'],
  [29, 'not_accepted'],
  [10, 'not_accepted'],
  [-1, 'outcome_unknown'],
])('error %i is not tried again: %s', async (errorCode, code) => {
  const { batcher, sent, turn, reports } = setup();
  const failed = failure(batcher.send(record()));
  await turn();
  await sent[0]!.answer(acknowledged(sent[0]!.batches, 0, errorCode));
  expect(await failed).toMatchObject({ code });
  expect(reports).toMatchObject([{ outcome: code, records: 1 }]);
});

test('a batch that is too large is taken apart, and only the culprit is refused', async () => {
  const { batcher, sent, turn } = setup();
  const [small, large] = [batcher.send(record('small')), failure(batcher.send(record('large')))];
  await turn();
  await sent[0]!.answer(acknowledged(sent[0]!.batches, 0, 10));
  await vi.advanceTimersByTimeAsync(50);
  expect(texts(sent[1])).toEqual(['small']);
  await sent[1]!.answer(acknowledged(sent[1]!.batches));
  await vi.advanceTimersByTimeAsync(3);
  expect(texts(sent[2])).toEqual(['large']);
  await sent[2]!.answer(acknowledged(sent[2]!.batches, 0, 10));
  expect(await small).toMatchObject({ offset: 0 });
  expect(await large).toMatchObject({ code: 'not_accepted' });
});

test('nothing starts while the fence is closed, and it goes on when it opens', async () => {
  const fence = { open: false };
  const { batcher, sent } = setup({ mayStart: () => fence.open });
  void batcher.send(record());
  await vi.advanceTimersByTimeAsync(500);
  expect(sent).toHaveLength(0);
  fence.open = true;
  await vi.advanceTimersByTimeAsync(50);
  expect(sent).toHaveLength(1);
  fence.open = false;
  expect(() => sent[0]!.beforeWrite()).toThrow('fence');
});

test('closing sends what is buffered, takes nothing new, and ends when all is settled', async () => {
  const { batcher, sent, turn } = setup();
  const sentFirst = batcher.send(record('a'));
  let closed = false;
  const closing = batcher.close().then(() => {
    closed = true;
  });
  await expect(batcher.send(record('b'))).rejects.toMatchObject({ code: 'not_accepted' });
  await turn();
  expect(closed).toBe(false);
  await sent[0]!.answer(acknowledged(sent[0]!.batches));
  await closing;
  expect(await sentFirst).toMatchObject({ offset: 0 });
  expect(vi.getTimerCount()).toBe(0);
});

test('closing an empty one ends at once', async () => {
  await setup().batcher.close();
});
