import { expect, test } from 'vitest';
import { createRandom } from '../random.ts';
import { drawKills, KILLED } from './draw-kills.ts';

const draw = (seed: number, kills = 60) =>
  drawKills(createRandom(seed), { kills, leastGapMs: 2_000, mostGapMs: 6_000 });

test('a seed draws the same plan again, another seed another one', () => {
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});

test('every kind is killed equally often, within the gaps', () => {
  const plan = draw(3, 300);
  for (const kind of KILLED) expect(plan.filter((kill) => kill.kind === kind)).toHaveLength(50);
  for (const { afterMs } of plan) expect(afterMs >= 2_000 && afterMs <= 6_000).toBe(true);
});
