import { expect, test } from 'vitest';
import { fakeGroup, setup } from '../test/fake-group.ts';
import { MapEncoder } from './window-encoding.ts';

test('the first join begins at the start of the log, or where the group has committed', async () => {
  const { join, stored, resolved, take, rejoin } = setup();
  stored.set(1, { offset: 9, metadata: new MapEncoder(9).finish(9) });
  await join('m', 1, [0, 1]);
  expect(resolved).toEqual({ 0: '5', 1: '9' });
  expect(take()).toEqual(['adopted', 'assigned 0', 'assigned 1', 'rejoined']);
  expect([rejoin.rejoining, rejoin.generation, rejoin.joins]).toEqual([false, 1, 1]);
});

test('a kept partition stays, a lost one is told, a new one is made', async () => {
  const { join, take, owned } = setup();
  await join('m', 1, [0, 1]);
  take();
  await join('m', 2, [1, 2]);
  expect(take()).toEqual(['drained', 'lost 0', 'assigned 2', 'rejoined']);
  expect(owned()).toEqual([1, 2]);
});

test('a partition in which somebody else has committed meanwhile is not ours any more', async () => {
  const { join, stored, take } = setup();
  await join('m', 1, [0, 1]);
  take();
  stored.set(0, { offset: 50, metadata: new MapEncoder(50).finish(50) });
  await join('m', 3, [0, 1]);
  expect(take()).toEqual(['drained', 'lost 0', 'assigned 0', 'rejoined']);
});

test('a member with another id has nothing of what the old one had', async () => {
  const { join, take } = setup();
  await join('m', 1, [0]);
  take();
  await join('n', 2, [0]);
  expect(take()).toEqual(['drained', 'lost 0', 'assigned 0', 'rejoined']);
});

test('a member that the group forgot drops all before it joins, and drains nothing', async () => {
  const { join, fake, take } = setup();
  await join('m', 1, [0]);
  take();
  fake.memberId = null;
  await join('n', 2, [0]);
  expect(take()).toEqual(['lost 0', 'assigned 0', 'rejoined']);
});

test('whose last commit is refused as stale drops all', async () => {
  const { join, rejoin, commits, refusal, take } = setup();
  await join('m', 1, [0]);
  for (const intake of rejoin.intakes) commits.touch(intake);
  take();
  refusal.type = 'ILLEGAL_GENERATION';
  await join('m', 3, [0]);
  expect(take()).toEqual(['drained', 'lost 0', 'assigned 0', 'rejoined']);
});

test('a commit that fails otherwise costs nothing: what it would have said is still known', async () => {
  const { join, rejoin, commits, refusal, take } = setup();
  await join('m', 1, [0]);
  for (const intake of rejoin.intakes) commits.touch(intake);
  take();
  refusal.type = 'REQUEST_TIMED_OUT';
  await join('m', 2, [0]);
  expect(take()).toEqual(['drained', 'rejoined']);
  expect(commits.commitFailures).toBe(2);
});

test('a drain that takes too long is not waited for', async () => {
  const { join, take } = setup({ beforeRejoin: () => new Promise(() => {}) });
  await join('m', 1, [0]);
  take();
  await join('m', 2, [0]);
  expect(take()).toEqual(['rejoined']);
});

test('a join that is tried again drains and commits only once', async () => {
  const { join, rejoin, group, take } = setup();
  await join('m', 1, [0]);
  take();
  await rejoin.beforeJoin(group);
  await join('m', 2, [0]);
  expect(take()).toEqual(['drained', 'rejoined']);
});

test('a group that kafkajs made anew after a crash starts with nothing', async () => {
  const { join, take, stored } = setup();
  await join('m', 1, [0]);
  take();
  await join('n', 2, [0], fakeGroup(stored));
  expect(take()).toEqual(['lost 0', 'adopted', 'assigned 0', 'rejoined']);
});

test('a rebalance during a stop finishes, commits and leaves instead of joining', async () => {
  const { join, rejoin, group, fake, take, stored, commits, paused } = setup();
  await join('m', 1, [0]);
  take();
  const drain = Promise.withResolvers<void>();
  void rejoin.stopping(drain.promise);
  expect([...paused]).toEqual([0]);
  const hook = rejoin.beforeJoin(group);
  for (const intake of rejoin.intakes) commits.touch(intake);
  drain.resolve();
  await expect(hook).rejects.toThrow('stopping');
  expect(fake.leave).toHaveBeenCalledOnce();
  expect(stored.get(0)!.offset).toBe(5);
  await rejoin.joined;
  await rejoin.leave();
  expect(fake.leave).toHaveBeenCalledOnce();
});

test('a rebalance during a stop waits no longer for it than the group waits for the member', async () => {
  const { join, rejoin, group, fake } = setup();
  await join('m', 1, [0]);
  void rejoin.stopping(new Promise(() => {}));
  await expect(rejoin.beforeJoin(group)).rejects.toThrow('stopping');
  expect(fake.leave).toHaveBeenCalledOnce();
});

test('an orderly stop commits and leaves', async () => {
  const { join, rejoin, fake, commits, stored } = setup();
  await join('m', 1, [0]);
  for (const intake of rejoin.intakes) commits.touch(intake);
  await rejoin.leave();
  expect(stored.get(0)!.offset).toBe(5);
  expect(fake.leave).toHaveBeenCalledOnce();
});
