import { expect, test, vi } from 'vitest';
import { setup } from '../test/fake-group.ts';
import { takeOverFetching } from './fetch-loop.ts';
import { FetchPace, PACE_DEFAULTS } from './fetch-pace.ts';

vi.mock('node:timers/promises', () => ({ setTimeout: async () => {} }));

test('a member that may not act asks for a heartbeat instead of fetching, but not while it leaves', async () => {
  const { rejoin, join, group, fake } = setup();
  const fetch = vi.fn(async () => []);
  Object.assign(fake, { fetch, joinAndSync: async () => {} });
  takeOverFetching(group, {
    rejoin,
    pace: new FetchPace(PACE_DEFAULTS, 0),
    nowMs: () => 0,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    mayAct: () => false,
    mayTake: () => true,
    onBug() {},
  });
  await join('m', 1, [0]);
  await group.fetch(0);
  expect(group.lastRequest).toBe(Number.NEGATIVE_INFINITY);
  fake.leave.mockImplementation(async () => void (await group.fetch(0)));
  await rejoin.leave();
  expect(fake.leave).toHaveBeenCalledOnce();
  expect(group.lastRequest).toBe(Number.POSITIVE_INFINITY);
  expect(fetch).not.toHaveBeenCalled();
});
