import fc from 'fast-check';

export const TENANTS = 4;
export const ENDPOINTS = 3;

/** What may happen to a scheduler. `which` picks one of those that are there. */
export type Step =
  | { do: 'offer'; tenant: number; which: number; endpoints: number[]; bytes: number; held: number }
  | { do: 'next' }
  | { do: 'recheck' }
  | { do: 'pause' }
  | { do: 'resume' }
  | { do: 'release' | 'settle' | 'putBack' | 'drop' | 'settleHeld'; which: number }
  | { do: 'lose'; which: number }
  | { do: 'takeTail'; tenant: number; which: number; slots: number }
  | { do: 'cap'; tenant: number; cap: number }
  | { do: 'limit'; tenant: number; endpoint: number; limit: number }
  | { do: 'wait'; ms: number };

const index = fc.nat(1_000);
const tenant = fc.integer({ min: 0, max: TENANTS - 1 });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('offer' as const),
      tenant,
      which: fc.nat(1),
      endpoints: fc.uniqueArray(fc.nat(ENDPOINTS - 1), { minLength: 1 }),
      bytes: fc.integer({ min: 0, max: 40 }),
      held: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(500) }),
    }),
  },
  { weight: 16, arbitrary: fc.record({ do: fc.constant('next' as const) }) },
  {
    weight: 14,
    arbitrary: fc.record({ do: fc.constantFrom('release', 'settle'), which: index }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('putBack', 'putBack', 'drop', 'settleHeld'), which: index }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose' as const), which: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('pause', 'resume', 'resume', 'recheck') }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('takeTail' as const),
      tenant,
      which: fc.nat(1),
      slots: fc.nat(8),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('cap' as const), tenant, cap: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('limit' as const),
      tenant,
      endpoint: fc.nat(ENDPOINTS - 1),
      limit: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(400) }) },
) as fc.Arbitrary<Step>;

export const scripts = fc.array(step, { minLength: 20, maxLength: 250 });
