import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ClassedTurns, QUANTUM_MS, type Turn, Turns } from './turns.ts';

interface Member extends Turn<Member> {
  readonly name: string;
}

const member = (name: string, over: Partial<Member> = {}): Member => ({
  name,
  usedMs: 0,
  slow: false,
  turns: null,
  list: null,
  before: null,
  after: null,
  ...over,
});

/** Charges whoever is first, and says who it was. */
function serve(turns: ClassedTurns<Member>, charges: Record<string, number>, slowMayStart = true) {
  const first = turns.first(slowMayStart);
  if (first !== null) turns.charge(first, charges[first.name]!);
  return first?.name ?? null;
}

const times = <T>(count: number, what: () => T): T[] => Array.from({ length: count }, what);

test('a turn lasts until its quantum is used up', () => {
  const turns = new ClassedTurns<Member>(32);
  for (const name of ['a', 'b']) turns.join(member(name));
  const half = QUANTUM_MS / 2;
  expect(times(6, () => serve(turns, { a: half, b: QUANTUM_MS }))).toEqual(['a', 'a', 'b', 'a', 'a', 'b']);
});

test('who used ten quanta sits out ten rounds', () => {
  const turns = new ClassedTurns<Member>(32);
  for (const name of ['deep', 'other']) turns.join(member(name));
  const served = times(12, () => serve(turns, { deep: 10 * QUANTUM_MS, other: QUANTUM_MS }));
  expect(served).toEqual(['deep', ...times(10, () => 'other'), 'deep']);
});

test('a charge that is given back brings the turn forward', () => {
  const turns = new ClassedTurns<Member>(32);
  const hasty = member('hasty');
  turns.join(hasty);
  turns.join(member('other'));
  const charges = { hasty: 15_000, other: QUANTUM_MS };
  expect(times(3, () => serve(turns, charges))).toEqual(['hasty', 'other', 'other']);
  turns.charge(hasty, -14_990);
  expect(serve(turns, charges)).toBe('hasty');
});

test('who comes late has no turns saved up', () => {
  const turns = new ClassedTurns<Member>(32);
  turns.join(member('early'));
  for (let i = 0; i < 50; i++) serve(turns, { early: QUANTUM_MS });
  turns.join(member('late'));
  const served = times(10, () => serve(turns, { early: QUANTUM_MS, late: QUANTUM_MS }));
  expect(served.filter((name) => name === 'late')).toHaveLength(5);
});

test('slow members that were closed off make up for nothing once they may start', () => {
  const turns = new ClassedTurns<Member>(32);
  turns.join(member('slow', { slow: true }));
  turns.join(member('fast'));
  const charges = { slow: QUANTUM_MS, fast: QUANTUM_MS };
  expect(new Set(times(50, () => serve(turns, charges, false)))).toEqual(new Set(['fast']));
  const served = times(10, () => serve(turns, charges));
  expect(served.filter((name) => name === 'slow')).toHaveLength(5);
});

test('newcomers to one class do not keep the other from its turn', () => {
  const turns = new ClassedTurns<Member>(32);
  turns.join(member('slow', { slow: true }));
  const served = times(4, () => {
    turns.join(member('fast'));
    return serve(turns, { slow: QUANTUM_MS, fast: QUANTUM_MS });
  });
  expect(served).toContain('slow');
});

const LISTS = 8;
const which = fc.nat(5);
/** Far past what the lists reach. */
const charge = fc.integer({ min: -40 * QUANTUM_MS, max: 40 * QUANTUM_MS });
const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('serve' as const), ms: fc.integer({ min: 1, max: 40 * QUANTUM_MS }) }),
    fc.record({ do: fc.constant('charge' as const), which, ms: charge }),
    fc.record({ do: fc.constantFrom('join' as const, 'leave' as const), which }),
    fc.record({ do: fc.constant('catchUp' as const), rounds: fc.nat(30) }),
  ),
  { maxLength: 200 },
);
const roundOf = ({ usedMs }: Member) => Math.floor(usedMs / QUANTUM_MS);

test('whoever has his turn is in the lowest round, over any joins, charges and refunds', () => {
  fc.assert(
    fc.property(steps, (script) => {
      const turns = new Turns<Member>(LISTS);
      const members = times(6, () => member(''));
      let passed = 0;
      for (const step of script) {
        const one = 'which' in step ? members[step.which]! : null;
        const first = turns.first();
        if (step.do === 'serve') {
          if (first !== null) turns.charge(first, step.ms);
        } else if (step.do === 'catchUp') {
          turns.catchUp(turns.round + step.rounds);
          if (first !== null) passed += step.rounds;
        } else if (step.do === 'charge') {
          if (one!.turns !== null) turns.charge(one!, step.ms);
        } else if (step.do === 'join' && one!.turns === null) turns.join(one!);
        else if (step.do === 'leave' && one!.turns !== null) turns.leave(one!);
        const waiting = members.filter((each) => each.turns !== null);
        expect(turns.length).toBe(waiting.length);
        const lowest = waiting.length === 0 ? null : Math.min(...waiting.map(roundOf));
        const next = turns.first();
        expect(next === null ? null : roundOf(next)).toBe(lowest);
        if (lowest !== null) expect(turns.round).toBe(lowest + passed);
      }
    }),
    { numRuns: 300 },
  );
});
