import type { DeliveryState } from '@posthorn/contracts';
import { expect, test } from 'vitest';
import { decideReplay } from './decide-replay.ts';

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
  for (const mayWait of [true, false]) expect(decideReplay({ state, run, round }, mayWait)).toEqual(decision);
});

test('a delivery that is not recorded is waited for, then refused', () => {
  expect(decideReplay(undefined, true)).toEqual({ kind: 'wait' });
  expect(decideReplay(undefined, false)).toEqual({ kind: 'refused', reason: 'unknown_delivery' });
});
