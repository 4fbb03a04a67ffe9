import { propertyRuns } from '@posthorn/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createOnceWorld, type Step } from '../../../test/once-world.ts';
import { isProblem } from '../../http/problem.ts';

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.oneof(
    { weight: 12, arbitrary: fc.constant('do_next' as const) },
    { weight: 4, arbitrary: fc.constant('do_any' as const) },
    { weight: 4, arbitrary: fc.constant('hold_up' as const) },
    { weight: 3, arbitrary: fc.constant('post' as const) },
    { weight: 2, arbitrary: fc.constant('pass_time' as const) },
    { weight: 1, arbitrary: fc.constantFrom('record' as const, 'kill' as const) },
  ),
  pick: fc.nat(9_999),
  fate: fc.nat(959),
});
const MAX_ASKED_AGAIN = 20;

test('one event comes of a key, whoever dies, stalls or is not told at whichever step', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 160, size: 'max' }), async (steps) => {
      const world = createOnceWorld();
      for (const each of steps) await world.step(each);
      await world.drain();
      let asked = 0;
      do {
        world.post(0);
        await world.drain();
      } while (isProblem(world.answers.at(-1)!) && ++asked < MAX_ASKED_AGAIN);
      const accepted = world.answers.flatMap((answer) => (isProblem(answer) ? [] : [answer.event_id]));
      expect(world.log).toHaveLength(1);
      expect(new Set(accepted)).toEqual(new Set(world.log));
      expect(isProblem(world.answers.at(-1)!)).toBe(false);
    }),
    { numRuns: propertyRuns(200) },
  );
});
