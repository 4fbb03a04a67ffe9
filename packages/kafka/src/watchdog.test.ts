import { expect, test, vi } from 'vitest';
import { Watchdog } from './watchdog.ts';

function setup() {
  const vitals = { heartbeatAgeMs: 0, commitsFailingMs: 0 };
  const cluster = { answers: true };
  const onDead = vi.fn<(error: Error) => void>();
  const watchdog = new Watchdog({
    intervalMs: 5_000,
    maxHeartbeatAgeMs: 20_000,
    maxCommitsFailingMs: 60_000,
    vitals: () => vitals,
    clusterAnswers: async () => cluster.answers,
    onDead,
  });
  return { vitals, cluster, onDead, watchdog };
}

test('says nothing while all is well', async () => {
  const { vitals, watchdog, onDead } = setup();
  vitals.heartbeatAgeMs = 20_000;
  vitals.commitsFailingMs = 60_000;
  await watchdog.check();
  expect(onDead).not.toHaveBeenCalled();
});

test('gives up a consumer without heartbeats while the cluster answers', async () => {
  const { vitals, watchdog, onDead } = setup();
  vitals.heartbeatAgeMs = 20_001;
  await watchdog.check();
  expect(onDead).toHaveBeenCalledOnce();
  expect(onDead.mock.calls[0]![0].message).toBe(
    'no heartbeat for 20001 ms, while the cluster answers others',
  );
});

test('gives up a consumer whose commits fail while the cluster answers', async () => {
  const { vitals, watchdog, onDead } = setup();
  vitals.commitsFailingMs = 60_001;
  await watchdog.check();
  expect(onDead.mock.calls[0]![0].message).toContain('no commit for 60001 ms');
});

test('waits while the cluster is away', async () => {
  const { vitals, cluster, watchdog, onDead } = setup();
  vitals.heartbeatAgeMs = 600_000;
  cluster.answers = false;
  await watchdog.check();
  expect(onDead).not.toHaveBeenCalled();
});

test('spares one that came to itself while the cluster was asked', async () => {
  const { vitals, watchdog, onDead } = setup();
  vitals.heartbeatAgeMs = 20_001;
  const checked = watchdog.check();
  vitals.heartbeatAgeMs = 0;
  await checked;
  expect(onDead).not.toHaveBeenCalled();
});

test('looks every interval until it is stopped', async () => {
  vi.useFakeTimers();
  const { vitals, watchdog, onDead } = setup();
  watchdog.start();
  vitals.heartbeatAgeMs = 30_000;
  await vi.advanceTimersByTimeAsync(4_999);
  expect(onDead).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(onDead).toHaveBeenCalledOnce();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(onDead).toHaveBeenCalledOnce();
  vi.useRealTimers();
});
