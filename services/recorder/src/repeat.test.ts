import { expect, test, vi } from 'vitest';
import { createRepeat } from './repeat.ts';

const NEVER_MS = 2 ** 31 - 1;

function setup(outcomes: (boolean | Error)[], intervalMs = NEVER_MS) {
  const warnings: string[] = [];
  const waiting: (() => void)[] = [];
  let turns = 0;
  const repeat = createRepeat({
    what: 'the work',
    intervalMs,
    log: { warn: (_fields: object, message?: string) => void warnings.push(message ?? '') } as never,
    async work() {
      turns++;
      for (const wake of waiting.splice(0)) wake();
      const outcome = outcomes.shift() ?? false;
      if (outcome instanceof Error) throw outcome;
      return outcome;
    },
  });
  return {
    repeat,
    warnings,
    /** Resolves at the next turn. */
    nextTurn: () => new Promise<void>((resolve) => waiting.push(resolve)),
    get turns() {
      return turns;
    },
  };
}

test('work goes on at once while there is more of it, then at the next wake', async () => {
  const work = setup([true, true, false]);
  work.repeat.start();
  await vi.waitFor(() => expect(work.turns).toBe(3));
  const woken = work.nextTurn();
  work.repeat.wake();
  await woken;
  await work.repeat.stop(1_000);
  expect(work.turns).toBe(4);
});

test('work that fails is tried again', async () => {
  const work = setup([new Error('away')], 1);
  const first = work.nextTurn();
  work.repeat.start();
  await first;
  await work.nextTurn();
  await work.repeat.stop(1_000);
  expect(work.warnings).toEqual(['work beside the record failed, trying again']);
});

test('nothing is begun once it is stopped', async () => {
  const work = setup([true, true, true]);
  const first = work.nextTurn();
  work.repeat.start();
  await first;
  await work.repeat.stop(1_000);
  const { turns } = work;
  work.repeat.wake();
  await work.repeat.stop(1_000);
  expect(work.turns).toBe(turns);
});
