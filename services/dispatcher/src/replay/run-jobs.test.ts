import { createSignalledList, waitUntil } from '@posthorn/testkit';
import { expect, test } from 'vitest';
import { fakeLog, gate, noTracing } from '../../test/fakes.ts';
import type { Job, JobStore } from './job-store.ts';
import { createReplayJobs } from './run-jobs.ts';

const jobOf = (jobId: string): Job => ({
  jobId,
  tenantId: 'acme',
  kind: 'dead_letters',
  ratePerSec: 100,
  total: 1,
  cursor: null,
  filters: {},
  createdAt: new Date(0),
});

function setup(queue: Job[], maxJobs = 2, store: Partial<JobStore> = {}) {
  const { log, lines } = fakeLog();
  const ended = createSignalledList<string>();
  const held = gate();
  const jobs = createReplayJobs({
    store: {
      claim: async () => queue.shift() ?? null,
      page: async () => {
        await held.passed;
        return { targets: [], next: null };
      },
      loadEvents: async () => new Map(),
      advance: async () => true,
      leave: async () => undefined,
      finish: async () => undefined,
      ...store,
    },
    configs: { get: async () => ({ kind: 'unknown_tenant' }), poll: async () => true },
    producer: { send: () => Promise.reject(new Error('nothing is sent here')) },
    tracing: noTracing,
    clock: { nowMs: () => 0, monotonicMs: () => 0 },
    log,
    macKey: Buffer.alloc(32),
    topic: 'replay',
    partitions: 1,
    maxJobs,
    pollMs: 1,
    observe: { asked: () => undefined, ended: (result) => ended.push(result) },
  });
  return { jobs, lines, ended, held };
}

test('jobs are taken up to the bound, the others when one has ended', async () => {
  const { jobs, ended, held } = setup([jobOf('1'), jobOf('2'), jobOf('3')]);
  jobs.start();
  await waitUntil(async () => jobs.running === 2, { what: 'two jobs' });
  held.open();
  await ended.waitFor(() => ended.items.length === 3, { what: 'three jobs to end' });
  await jobs.stop();
  expect(jobs.running).toBe(0);
});

test('a job says that it begins, and what came of it', async () => {
  const { jobs, ended, held, lines } = setup([jobOf('1')]);
  held.open();
  jobs.start();
  await ended.waitFor(() => ended.items.length === 1, { what: 'the job to end' });
  await jobs.stop();
  expect(lines).toMatchObject([
    { message: 'replay job started', fields: { job_id: '1', rate_per_sec: 100, total: 1 } },
    { message: 'replay job ended', fields: { job_id: '1', result: 'done', done: 0, refused: 0 } },
  ]);
});

test('a stop waits until every job has been left', async () => {
  const { jobs, ended, held } = setup([jobOf('1')]);
  jobs.start();
  await waitUntil(async () => jobs.running === 1, { what: 'the job' });
  const stopped = jobs.stop();
  held.open();
  await stopped;
  expect([jobs.running, ended.items.length]).toEqual([0, 1]);
  await jobs.stop();
});

test('a bound of none leaves the jobs to others', async () => {
  const queue = [jobOf('1')];
  const { jobs } = setup(queue, 0);
  jobs.start();
  await jobs.stop();
  expect(queue).toHaveLength(1);
});

test('with postgres away the search goes on', async () => {
  let tries = 0;
  const claim = async () => {
    if (++tries < 3) throw new Error('connection refused');
    return null;
  };
  const { jobs, lines } = setup([], 2, { claim });
  jobs.start();
  await waitUntil(async () => tries >= 3, { what: 'a third try' });
  await jobs.stop();
  expect(lines[0]).toMatchObject({ level: 'warn', message: 'replay jobs cannot be looked for' });
});
