import type { DeliveryState } from '@posthorn/contracts';
import { expect, test } from 'vitest';
import { decideReplay } from './decide-replay.ts';

const ANY = { expect: null, missing: false };

test.each<[DeliveryState, number, number, object]>([
  ['failed', 0, 0, { kind: 'next_round', run: 0, round: 1 }],
  ['failed', 2, 3, { kind: 'next_round', run: 2, round: 4 }],
  ['success', 0, 0, { kind: 'next_run', run: 1, round: 0 }],
  ['success', 1, 4, { kind: 'next_run', run: 2, round: 0 }],
  ['cancelled', 0, 2, { kind: 'next_run', run: 1, round: 0 }],
  ['scheduled', 0, 0, { kind: 'refused', reason: 'under_way' }],
  ['pending', 0, 0, { kind: 'refused', reason: 'under_way' }],
  ['processing', 0, 1, { kind: 'refused', reason: 'under_way' }],
])('a delivery that is %s in run %d, round %d: %j', (state, run, round, decision) => {
  expect(decideReplay({ state, run, round }, ANY)).toEqual(decision);
  expect(decideReplay({ state, run, round }, { ...ANY, expect: { run, round } })).toEqual(decision);
});

test.each([
  { run: 0, round: 0 },
  { run: 1, round: 1 },
  { run: 1, round: 3 },
  { run: 2, round: 2 },
])(
  'a delivery that stands elsewhere than at %j, where it was asked for, was replayed already',
  (expected) => {
    const standing = { state: 'failed', run: 1, round: 2 } as const;
    const refused = { kind: 'refused', reason: 'already_replayed' };
    expect(decideReplay(standing, { ...ANY, expect: expected })).toEqual(refused);
  },
);

test('a delivery that is not recorded is undecided', () => {
  expect(decideReplay(undefined, ANY)).toEqual({ kind: 'unrecorded' });
});

test('what was never sent is sent for the first time, and what was is not missing', () => {
  const missing = { ...ANY, missing: true };
  expect(decideReplay(undefined, missing)).toEqual({ kind: 'first', run: 0, round: 0 });
  for (const state of ['failed', 'success', 'pending', 'cancelled'] as const) {
    const refused = { kind: 'refused', reason: 'not_missing' };
    expect(decideReplay({ state, run: 0, round: 0 }, missing)).toEqual(refused);
  }
});
