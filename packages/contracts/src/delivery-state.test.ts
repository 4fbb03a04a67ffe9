import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DeliveryState, type Standing, standingOrder, TRANSITIONS } from './delivery-state.ts';

const STATES: readonly DeliveryState[] = [
  'scheduled',
  'pending',
  'processing',
  'success',
  'failed',
  'cancelled',
];
const count = fc.nat(9_999);
const standing = fc.record({ state: fc.constantFrom(...STATES), round: count, attempt: count });

/** The order in words of the design: success, then cancelled, then round, then attempt, then how far the state is. */
function compareInWords(a: Standing, b: Standing): number {
  const steps: DeliveryState[] = ['scheduled', 'pending', 'processing', 'failed', 'cancelled', 'success'];
  return (
    Number(a.state === 'success') - Number(b.state === 'success') ||
    Number(a.state === 'cancelled') - Number(b.state === 'cancelled') ||
    a.round - b.round ||
    a.attempt - b.attempt ||
    steps.indexOf(a.state) - steps.indexOf(b.state)
  );
}

describe('the order of standings', () => {
  test('is the order that the words describe', () => {
    fc.assert(
      fc.property(standing, standing, (a, b) => {
        expect(Math.sign(standingOrder(a) - standingOrder(b))).toBe(Math.sign(compareInWords(a, b)));
      }),
    );
  });

  test('is exact in a double, so that one column of SQL compares it', () => {
    fc.assert(fc.property(standing, (each) => Number.isSafeInteger(standingOrder(each))));
    expect(standingOrder({ state: 'success', round: 1e9, attempt: 1e9 })).toBeLessThan(
      Number.MAX_SAFE_INTEGER,
    );
  });

  test('ends the same whatever order the entries come in', () => {
    const greatest = (all: readonly Standing[]) =>
      all.reduce((kept, each) => (standingOrder(each) > standingOrder(kept) ? each : kept));
    const shuffled = fc
      .uniqueArray(standing, { minLength: 1, maxLength: 12, selector: standingOrder })
      .chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })));
    fc.assert(
      fc.property(shuffled, ([a, b]) => {
        expect(greatest(a)).toEqual(greatest(b));
      }),
    );
  });
});

/** One step along the table, with the round and attempt that the reason brings. */
function step(from: Standing | null, pick: number): Standing {
  const open = TRANSITIONS.filter((each) => each.from === (from?.state ?? null));
  const transition = open[pick % open.length]!;
  const before = from ?? { round: 0, attempt: 0 };
  const tried = transition.reason.startsWith('attempt_') || transition.reason === 'dead_lettered';
  if (transition.reason === 'replayed') return { state: transition.to, round: before.round + 1, attempt: 0 };
  return { state: transition.to, round: before.round, attempt: before.attempt + (tried ? 1 : 0) };
}

test('every way through the table rises in the order, so that the record never steps back', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 40 }), (picks) => {
      let now = step(null, 0);
      for (const pick of picks) {
        if (!TRANSITIONS.some((each) => each.from === now.state)) return;
        const next = step(now, pick);
        expect(standingOrder(next)).toBeGreaterThan(standingOrder(now));
        now = next;
      }
    }),
  );
});

test('success and cancelled are final: a replay of them is a new run', () => {
  expect(TRANSITIONS.filter((each) => each.from === 'success' || each.from === 'cancelled')).toEqual([]);
});

describe('docs/delivery-lifecycle.md', () => {
  const page = readFileSync(new URL('../../../docs/delivery-lifecycle.md', import.meta.url), 'utf8');
  const rowsUnder = (heading: string) => {
    const section = page.split(/^## /m).find((each) => each.startsWith(`${heading}\n`)) ?? '';
    return [...section.matchAll(/^\|(.+)\|$/gm)]
      .slice(2)
      .map((row) => row[1]!.split('|').map((cell) => cell.trim().replaceAll('`', '')));
  };

  test('has exactly the transitions of the code', () => {
    const documented = rowsUnder('Transitions').map(([from, reason, to]) => `${from} ${reason} ${to}`);
    const coded = TRANSITIONS.map((each) => `${each.from ?? '(none)'} ${each.reason} ${each.to}`);
    expect(documented.sort()).toEqual(coded.sort());
  });

  test('explains every state and no other', () => {
    expect(
      rowsUnder('States')
        .map(([state]) => state)
        .sort(),
    ).toEqual([...STATES].sort());
  });

  test('draws every transition between two states', () => {
    for (const { from, to } of TRANSITIONS) expect(page).toContain(`${from ?? '[*]'} --> ${to}`);
  });
});
