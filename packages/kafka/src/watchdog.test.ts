import { expect, test, vi } from 'vitest';
import { Watchdog } from './watchdog.ts';

const GRACE_MS = 20_000;

function setup() {
  const vitals = { heartbeatAgeMs: 0, commitsFailingMs: 0 };
  const cluster = { answers: true };
  const onDead = vi.fn<(error: Error) => void>();
  let nowMs = 0;
  const watchdog = new Watchdog({
    intervalMs: 5_000,
    maxHeartbeatAgeMs: 20_000,
    maxCommitsFailingMs: 60_000,
    graceMs: GRACE_MS,
    nowMs: () => nowMs,
    vitals: () => vitals,
    clusterAnswers: async () => cluster.answers,
    onDead,
  });
  const checkAfter = (ms: number) => {
    nowMs += ms;
    return watchdog.check();
  };
  return { vitals, cluster, onDead, watchdog, checkAfter };
}

test('says nothing while all is well', async () => {
  const { vitals, checkAfter, onDead } = setup();
  vitals.heartbeatAgeMs = 20_000;
  vitals.commitsFailingMs = 60_000;
  await checkAfter(0);
  await checkAfter(GRACE_MS);
  expect(onDead).not.toHaveBeenCalled();
});

test.each([
  ['heartbeats', { heartbeatAgeMs: 20_001 }, 'no heartbeat for 20001 ms, while the cluster answers others'],
  ['commits', { commitsFailingMs: 60_001 }, 'no commit for 60001 ms, while the cluster answers others'],
])(
  'gives up a consumer without %s once the cluster has answered others for long enough',
  async (_, dead, message) => {
    const { vitals, checkAfter, onDead } = setup();
    Object.assign(vitals, dead);
    await checkAfter(0);
    await checkAfter(GRACE_MS - 1);
    expect(onDead).not.toHaveBeenCalled();
    await checkAfter(1);
    expect(onDead.mock.calls.map(([error]) => error.message)).toEqual([message]);
  },
);

test('waits while the cluster is away, and gives the consumer time when it is back', async () => {
  const { vitals, cluster, checkAfter, onDead } = setup();
  vitals.heartbeatAgeMs = 600_000;
  await checkAfter(0);
  cluster.answers = false;
  await checkAfter(GRACE_MS);
  cluster.answers = true;
  await checkAfter(GRACE_MS);
  expect(onDead).not.toHaveBeenCalled();
});

test('spares one that came to itself while the cluster was asked', async () => {
  const { vitals, checkAfter, onDead } = setup();
  vitals.heartbeatAgeMs = 20_001;
  await checkAfter(0);
  const checked = checkAfter(GRACE_MS);
  vitals.heartbeatAgeMs = 0;
  await checked;
  expect(onDead).not.toHaveBeenCalled();
});

test('a consumer that was well in between starts anew', async () => {
  const { vitals, checkAfter, onDead } = setup();
  vitals.heartbeatAgeMs = 20_001;
  await checkAfter(0);
  vitals.heartbeatAgeMs = 0;
  await checkAfter(5_000);
  vitals.heartbeatAgeMs = 20_001;
  await checkAfter(GRACE_MS);
  expect(onDead).not.toHaveBeenCalled();
});

test('looks every interval until it is stopped', async () => {
  vi.useFakeTimers();
  const { vitals, watchdog } = setup();
  const looked = vi.fn(() => 0);
  Object.defineProperty(vitals, 'heartbeatAgeMs', { get: looked });
  watchdog.start();
  await vi.advanceTimersByTimeAsync(9_999);
  expect(looked).toHaveBeenCalledTimes(1);
  watchdog.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(looked).toHaveBeenCalledTimes(1);
  vi.useRealTimers();
});
