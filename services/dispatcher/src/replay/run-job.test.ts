import { decodeEvent, decodeReplay, hasValidMac, mintEndpointId, mintEventId } from '@posthorn/contracts';
import type { EventPayload, JobCursor } from '@posthorn/db';
import { createFakeClock } from '@posthorn/testkit';
import { expect, onTestFinished, test, vi } from 'vitest';
import { fakeLog, fakeProducer, fakeRecord, noTracing, tenantConfig } from '../../test/fakes.ts';
import { MAC_KEY, setupReplays } from '../../test/replays.ts';
import type { Job, JobStore, ReplayTarget } from './job-store.ts';
import { type RunJobOptions, runJob } from './run-job.ts';

const endpointId = mintEndpointId(1);

function target(at: number, expected: ReplayTarget['expect'] = { run: 0, round: 0 }): ReplayTarget {
  return { tenantId: 'acme', eventId: mintEventId(1_700_000_000_000 + at), endpointId, expect: expected };
}

const eventOf = (eventId: string): EventPayload => ({
  tenantId: 'acme',
  eventId,
  type: 'order.created',
  labels: { env: 'prod' },
  contentType: 'application/json',
  payload: Buffer.from('{"n":12345678901234567890}'),
  occurredAt: new Date(0),
  acceptedAt: new Date(0),
  revision: 2,
  retentionDays: 30,
  clientEventId: null,
  payloadExpungedAt: null,
});

/** The table of jobs with one job, whose cursor is how many of its targets are behind it. */
function fakeJobs(targets: readonly ReplayTarget[], given: Partial<Job> = {}) {
  const job: Job = {
    jobId: 'job-1',
    tenantId: 'acme',
    kind: 'dead_letters',
    ratePerSec: 100,
    total: targets.length,
    cursor: null,
    filters: {},
    createdAt: new Date(0),
    ...given,
  };
  const row = {
    cursor: null as JobCursor,
    done: 0,
    refused: 0,
    state: 'running',
    error: null as string | null,
  };
  const expired = new Set<string>();
  const pages: number[] = [];
  const left: string[] = [];
  const store: JobStore = {
    claim: async () => job,
    async page(_, cursor, limit) {
      const from = (cursor as number | null) ?? 0;
      pages.push(limit);
      const page = targets.slice(from, from + limit);
      const end = from + page.length;
      return { targets: page, next: end < targets.length ? end : null };
    },
    async loadEvents(_, eventIds) {
      const kept = eventIds.filter((eventId) => !expired.has(eventId));
      return new Map(kept.map((eventId) => [eventId, eventOf(eventId)]));
    },
    async advance(_, { cursor, done, refused }) {
      if (row.state !== 'running') return false;
      Object.assign(row, { cursor, done: row.done + done, refused: row.refused + refused });
      return true;
    },
    leave: async (jobId) => void left.push(jobId),
    finish: async (_, end) => void Object.assign(row, end),
  };
  return { job, row, store, expired, pages, left };
}

function setup(targets: readonly ReplayTarget[], given: Partial<Job> = {}) {
  const jobs = fakeJobs(targets, given);
  const producer = fakeProducer();
  const clock = createFakeClock();
  const { log, lines } = fakeLog();
  const stop = new AbortController();
  const pauses: number[] = [];
  let polled = false;
  const options: RunJobOptions = {
    store: jobs.store,
    configs: {
      get: async () => ({ kind: 'found', config: tenantConfig(0, { revision: polled ? 40 : 39 }) }),
      poll: async () => {
        polled = true;
        return true;
      },
    },
    producer,
    tracing: noTracing,
    clock,
    log,
    observe: { asked: () => undefined },
    macKey: MAC_KEY,
    topic: 'replay',
    partitions: 4,
    async pause(ms) {
      pauses.push(ms);
      clock.advance(ms);
    },
  };
  const run = (more: Partial<RunJobOptions> = {}, job = jobs.job) =>
    runJob({ ...options, ...more }, job, stop.signal);
  return { ...jobs, producer, clock, lines, stop, pauses, run };
}

const many = (count: number) => Array.from({ length: count }, (_, i) => target(i));

test('everything a job has chosen is asked for, once, as of now and with its mac', async () => {
  const targets = [target(1, { run: 1, round: 2 }), target(2)];
  const { run, producer, row } = setup(targets);
  expect(await run()).toBe('done');
  expect(producer.sent.map((each) => each.headers.ce_id)).toEqual(targets.map((each) => each.eventId));
  const [first] = producer.sent;
  expect(first).toMatchObject({ topic: 'replay', key: 'acme', headers: { ph_slots: endpointId } });
  expect(decodeReplay(first!.headers)).toEqual({
    replayId: 'job-1',
    expect: { run: 1, round: 2 },
    missing: false,
  });
  expect(decodeEvent(first!.headers)).toMatchObject({ revision: 40, labels: { env: 'prod' } });
  expect(hasValidMac(MAC_KEY, first!.headers, first!.value!)).toBe(true);
  expect(row).toMatchObject({ state: 'done', done: 2, refused: 0 });
});

test('what was never sent is asked for as such', async () => {
  const { run, producer } = setup([target(1, null)], { kind: 'missing' });
  await run();
  expect(decodeReplay(producer.sent[0]!.headers)).toMatchObject({ missing: true, expect: null });
});

test('a payload that is past its retention is refused and counted', async () => {
  const targets = many(3);
  const { run, producer, expired, row } = setup(targets);
  expired.add(targets[1]!.eventId);
  expect(await run()).toBe('done');
  expect([producer.sent.length, row.done, row.refused]).toEqual([2, 2, 1]);
});

test.each([
  [1, 5],
  [100, 300],
  [1_000, 2_500],
])('at %d a second %d deliveries take as long as they should', async (ratePerSec, count) => {
  const { run, clock, pages } = setup(many(count), { ratePerSec });
  const startMs = clock.monotonicMs();
  await run();
  // The last page ends the job without a pause behind it.
  const pausedFor = count - Math.min(count, pages[0]!);
  expect((clock.monotonicMs() - startMs) / 1_000).toBeCloseTo(pausedFor / ratePerSec, 5);
  // No page is more than a second's worth: a cancellation is seen between two.
  expect(Math.max(...pages)).toBeLessThanOrEqual(Math.max(1, ratePerSec));
});

test('a job that was cancelled ends with the page under way', async () => {
  const { run, row, producer } = setup(many(500));
  const pause = async () => {
    row.state = 'cancelled';
  };
  expect(await run({ pause })).toBe('withdrawn');
  // The page that was being produced when it was cancelled, and the one whose end could not be kept.
  expect(producer.sent.length).toBeLessThanOrEqual(100);
  expect(row.done).toBe(50);
});

test('a dispatcher that stops leaves the job to another, which goes on behind the last page', async () => {
  const { run, job, stop, producer, left, row } = setup(many(120));
  expect(await run({ pause: async () => stop.abort() })).toBe('left');
  expect([left, row.cursor]).toEqual([['job-1'], 50]);
  const again = setup(many(120));
  expect(await again.run({}, { ...job, cursor: row.cursor })).toBe('done');
  expect([producer.sent.length, again.producer.sent.length]).toEqual([50, 70]);
});

test('a crash between produce and the end of the page repeats the page, and each delivery is replayed once', async () => {
  const targets = many(3);
  const { run, producer, store, row } = setup(targets);
  const dies = { ...store, advance: vi.fn(store.advance) };
  dies.advance.mockResolvedValueOnce(true).mockImplementationOnce(() => new Promise(() => undefined));
  void run({ store: dies });
  await vi.waitUntil(() => dies.advance.mock.calls.length === 2);
  expect([producer.sent.length, row.cursor]).toEqual([3, null]);
  expect(await run()).toBe('done');
  expect(producer.sent).toHaveLength(6);

  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const replays = setupReplays();
  replays.stand(endpointId, 'failed');
  for (const [offset, { headers, value }] of producer.sent.entries()) {
    if (offset === 3) replays.stand(endpointId, 'failed', 0, 1);
    await replays.replay(fakeRecord({ topic: 'replay', offset, headers: { ...headers }, value: value! }));
  }
  expect(replays.producer.sent.map((each) => each.headers.ce_id)).toEqual(
    targets.map((each) => each.eventId),
  );
  expect(replays.results).toEqual([...Array(3).fill('next_round'), ...Array(3).fill('refused')]);
});

test('while kafka or postgres is away a job waits, then goes on where its last page ended', async () => {
  const { run, producer, row, lines } = setup(many(100));
  let refusals = 2;
  const send: typeof producer.send = (record) =>
    refusals-- > 0 ? Promise.reject(new Error('not acknowledged')) : producer.send(record);
  expect(await run({ producer: { send } })).toBe('done');
  expect(row).toMatchObject({ state: 'done', done: 100 });
  expect(lines[0]).toMatchObject({ level: 'warn', message: 'a replay job waits for kafka or postgres' });
  expect(new Set(producer.sent.map((each) => each.headers.ce_id)).size).toBe(100);
});

test('what would fail again ends the job, and it says why', async () => {
  const { run, store, row } = setup(many(1));
  const bad = Object.assign(new Error('invalid input syntax'), { code: '22P02' });
  expect(await run({ store: { ...store, page: () => Promise.reject(bad) } })).toBe('failed');
  expect(row).toMatchObject({ state: 'failed', error: 'Error: invalid input syntax' });
});

test('what was never sent is asked for as far as the content filter of its endpoint wants it', async () => {
  const missing = [target(1, null), target(2, null), target(3)];
  const config = tenantConfig(1);
  const [endpoint] = [...config.endpoints.values()];
  const run = async (condition: object) => {
    const bundle = setup(missing, { kind: 'missing' });
    const versions = [{ ...endpoint!.versions[0]!, filter: { payload: { n: condition } } }];
    const endpoints = new Map([[endpointId, { ...endpoint!, endpointId, versions }]]);
    const get = async () => ({ kind: 'found' as const, config: { ...config, endpoints } });
    await bundle.run({ configs: { get, poll: async () => true } });
    return bundle.row;
  };
  expect(await run({ $gt: Number.MAX_SAFE_INTEGER })).toMatchObject({ state: 'done', done: 3, refused: 0 });
  expect(await run({ $lt: Number.MAX_SAFE_INTEGER })).toMatchObject({ state: 'done', done: 1, refused: 2 });
});
