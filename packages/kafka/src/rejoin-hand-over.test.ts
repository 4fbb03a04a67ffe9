import { expect, onTestFinished, test, vi } from 'vitest';
import { fakeGroup, setup as setupGroup } from '../test/fake-group.ts';

/** The first two records of the log are under way. */
const setup = () => setupGroup({}, () => [5, 6].map((offset) => ({ offset, slot: 0, leftMs: 60_000 })));

test('a lane that moves in order may be settled where it was under way', async () => {
  const { join, hand } = setup();
  await join('m', 1, [0]);
  const [underWay, , queued] = hand(3);
  await join('m', 2, []);
  expect([underWay!.live, underWay!.mayStillSettle(0), queued!.mayStillSettle(0)]).toEqual([
    false,
    true,
    false,
  ]);
});

test('a join that is tried again forgets nothing of what was handed over, nor what was settled meanwhile', async () => {
  const { join, hand, rejoin, group, take } = setup();
  await join('m', 1, [0]);
  const [underWay] = hand(1);
  await rejoin.beforeJoin(group);
  underWay!.complete(0);
  await join('m', 2, []);
  expect(take().at(-2)).toBe('lost 0, settled since 5/0');
});

type Case = (bundle: ReturnType<typeof setup>) => Promise<void>;
const NOT_IN_ORDER: Array<[string, Case]> = [
  ['the member comes back with another id', ({ join }) => join('n', 2, [])],
  [
    'the group has forgotten the member',
    ({ join, fake }) => {
      fake.memberId = null;
      return join('n', 2, []);
    },
  ],
  [
    'the last commit is stale',
    ({ join, refusal }) => {
      refusal.type = 'ILLEGAL_GENERATION';
      return join('m', 3, []);
    },
  ],
  [
    'the last commit is not acknowledged',
    ({ join, refusal }) => {
      refusal.type = 'REQUEST_TIMED_OUT';
      return join('m', 2, []);
    },
  ],
  ['the consumer has crashed', ({ join, stored }) => join('n', 2, [], fakeGroup(stored))],
];

test.each(NOT_IN_ORDER)('nothing may be settled when %s', async (_what, lose) => {
  const bundle = setup();
  await bundle.join('m', 1, [0]);
  const [underWay] = bundle.hand(1);
  await lose(bundle);
  expect([underWay!.live, underWay!.mayStillSettle(0)]).toEqual([false, false]);
});

test('a lane that stays takes its marks back with the next commit', async () => {
  const { join, hand, commits, stored } = setup();
  await join('m', 1, [0]);
  hand(1);
  await join('m', 2, [0]);
  const marked = stored.get(0)!.metadata;
  await commits.flush();
  expect(stored.get(0)!.metadata).not.toBe(marked);
  expect(stored.get(0)!.metadata.length).toBeLessThan(marked.length);
});

test('a stop waits no longer than a drain may take, when what is under way can be handed over', async () => {
  const { join, hand, rejoin, fake } = setup();
  await join('m', 1, [0]);
  const [underWay] = hand(1);
  await rejoin.stopping(new Promise(() => {}));
  await rejoin.leave();
  expect([rejoin.left, fake.memberId, underWay!.mayStillSettle(0)]).toEqual([true, null, true]);
});

test('a stop gives up on a broker that says nothing, and what it did not acknowledge may not be settled', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { join, hand, rejoin, fake, group } = setup();
  await join('m', 1, [0]);
  const [underWay] = hand(1);
  fake.leave.mockReturnValue(new Promise(() => {}));
  group.coordinator.offsetCommit = () => new Promise(() => {});
  const left = rejoin.stopping(new Promise(() => {})).then(() => rejoin.leave());
  await vi.advanceTimersByTimeAsync(5_000);
  await left;
  expect([rejoin.left, underWay!.live, underWay!.mayStillSettle(0)]).toEqual([true, false, false]);
});

test('a rebalance during a stop hands over too, once', async () => {
  const { join, hand, rejoin, group, fake } = setup();
  await join('m', 1, [0]);
  const [underWay] = hand(1);
  const stopping = rejoin.stopping(new Promise(() => {}));
  const hook = rejoin.beforeJoin(group);
  await stopping;
  await expect(hook).rejects.toThrow('stopping');
  await rejoin.leave();
  expect(fake.leave).toHaveBeenCalledOnce();
  expect([rejoin.left, underWay!.mayStillSettle(0)]).toEqual([true, true]);
});

test('a stop while a join is tried again keeps to what the last commit said', async () => {
  const { join, hand, rejoin, group, take } = setup();
  await join('m', 1, [0]);
  const [settled, underWay] = hand(2);
  await rejoin.beforeJoin(group);
  settled!.complete(0);
  const stopping = rejoin.stopping(new Promise(() => {}));
  const again = rejoin.beforeJoin(group);
  await stopping;
  await expect(again).rejects.toThrow('stopping');
  await rejoin.leave();
  expect(take().at(-1)).toBe('lost 0, settled since 5/0');
  expect([rejoin.left, underWay!.mayStillSettle(0)]).toEqual([true, true]);
});

test('a stop that does not wait for the end of a join keeps to what the last commit said', async () => {
  const { join, hand, rejoin, group } = setup();
  await join('m', 1, [0]);
  const [underWay] = hand(1);
  await rejoin.beforeJoin(group);
  await rejoin.stopping(new Promise(() => {}));
  await rejoin.leave();
  expect([rejoin.left, underWay!.live, underWay!.mayStillSettle(0)]).toEqual([true, false, true]);
});

test('a partition that stays goes on where it was being read again', async () => {
  const { join, hand, rejoin, resolved } = setup();
  await join('m', 1, [0]);
  for (const record of hand(3)) record.passOver();
  rejoin.reread('t', 0, 6);
  expect(resolved[0]).toBe('6');
  await join('m', 2, [0]);
  expect(resolved[0]).toBe('6');
  expect(hand(1)).toMatchObject([{ offset: 6 }]);
  rejoin.reread('t', 0, Number.POSITIVE_INFINITY);
  expect(resolved[0]).toBe('8');
});
