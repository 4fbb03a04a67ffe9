import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assignPartitions } from './sticky-assigner.ts';

type Assignment = Map<string, Record<string, number[]>>;

function claim(memberId: string, owned: number[] = [], generation = 1, topics = ['lanes']) {
  const byTopic: Record<string, number[]> = owned.length === 0 ? {} : { lanes: owned };
  return { memberId, topics, userData: { generation, owned: byTopic } };
}

const lanes = (count: number) => new Map([['lanes', Array.from({ length: count }, (_, i) => i)]]);
const laneCount = (assignment: Assignment, memberId: string) => assignment.get(memberId)!.lanes?.length ?? 0;

test('a newcomer gets his fair share, the others keep the rest', () => {
  const assignment = assignPartitions(
    [claim('a', [0, 1, 2, 3]), claim('b', [4, 5, 6, 7]), claim('c')],
    lanes(8),
  );
  expect(assignment.get('a')).toEqual({ lanes: [0, 1, 2] });
  expect(assignment.get('b')).toEqual({ lanes: [4, 5, 6] });
  expect(assignment.get('c')).toEqual({ lanes: [3, 7] });
});

test('what a member leaves behind goes to those who have least', () => {
  const assignment = assignPartitions([claim('a', [0, 1, 2]), claim('b', [3])], lanes(6));
  expect(assignment.get('a')).toEqual({ lanes: [0, 1, 2] });
  expect(assignment.get('b')!.lanes).toEqual([3, 4, 5]);
});

test('of two who claim a partition the later generation has it', () => {
  const assignment = assignPartitions([claim('a', [0, 1], 4), claim('b', [0, 1], 5)], lanes(2));
  expect(laneCount(assignment, 'b')).toBe(1);
  expect(assignment.get('b')).toEqual({ lanes: [0] });
});

test('partition i of every topic goes to the same member', () => {
  const topics = ['lanes', 'overflow'];
  const claims = [claim('a', [], 1, topics), claim('b', [], 1, topics)];
  const partitions = new Map([
    ['lanes', [0, 1, 2, 3]],
    ['overflow', [0, 1, 2, 3]],
  ]);
  for (const owned of assignPartitions(claims, partitions).values())
    expect(owned.lanes).toEqual(owned.overflow);
});

test('a topic that only some members know goes to them', () => {
  const claims = [claim('a', [0, 1], 1, ['lanes']), claim('b', [], 1, ['lanes', 'new'])];
  const partitions = new Map([
    ['lanes', [0, 1]],
    ['new', [0, 1]],
  ]);
  const assignment = assignPartitions(claims, partitions);
  expect(assignment.get('b')!.new).toEqual([0, 1]);
  expect(assignment.get('a')!.new).toBeUndefined();
});

test('every partition has one owner, shares differ by one, and nobody loses what he may keep', () => {
  const group = fc.record({
    count: fc.integer({ min: 1, max: 40 }),
    owned: fc.array(fc.array(fc.nat(39), { maxLength: 40 }), { minLength: 1, maxLength: 7 }),
  });
  fc.assert(
    fc.property(group, ({ count, owned }) => {
      const claims = owned.map((numbers, i) =>
        claim(
          `m${i}`,
          [...new Set(numbers)].filter((n) => n < count),
          i,
        ),
      );
      const assignment = assignPartitions(claims, lanes(count));
      const all = [...assignment.values()].flatMap((topics) => topics.lanes ?? []);
      expect(all.sort((a, b) => a - b)).toEqual(lanes(count).get('lanes'));
      const sizes = claims.map(({ memberId }) => laneCount(assignment, memberId));
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }),
  );
});

test('a settled group stays as it is', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 7 }), (count, members) => {
      const fresh = Array.from({ length: members }, (_, i) => claim(`m${i}`));
      const first = assignPartitions(fresh, lanes(count));
      const again = fresh.map(({ memberId }) => claim(memberId, first.get(memberId)!.lanes ?? []));
      expect(assignPartitions(again, lanes(count))).toEqual(first);
    }),
  );
});
