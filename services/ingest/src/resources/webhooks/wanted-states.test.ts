import { expect, test } from 'vitest';
import { wantedStates } from './wanted-states.ts';

const verbs = (...given: Parameters<typeof wantedStates>) => wantedStates(...given).map(({ verb }) => verb);

test.each([
  ['active', {}, []],
  ['active', { enabled: true, paused: false }, []],
  ['active', { enabled: false }, ['disabled']],
  ['active', { paused: true }, ['paused']],
  ['paused', { paused: true }, []],
  ['paused', { enabled: true }, []],
  ['paused', { paused: false }, ['resumed']],
  ['paused', { enabled: false }, ['disabled']],
  ['disabled', { enabled: false }, []],
  ['disabled', { paused: false }, []],
  ['disabled', { enabled: true }, ['enabled']],
  ['disabled', { enabled: true, paused: true }, ['enabled', 'paused']],
] as const)('from %s, %j takes %j', (state, wanted, steps) => {
  expect(verbs(state, wanted)).toEqual(steps);
});
