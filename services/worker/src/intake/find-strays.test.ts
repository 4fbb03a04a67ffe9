import { laneOf, mintEndpointId } from '@posthorn/contracts';
import { expect, test } from 'vitest';
import { LANE, makeHeaders, makeTenant, NOW } from '../../test/factories.ts';
import { ownLane, settled } from '../../test/fake-lane.ts';
import { createFakeLane } from '../../test/fake-partition.ts';

const ENDPOINTS = Array.from({ length: 6 }, () => mintEndpointId(NOW));
const [FIRST, SECOND] = [LANE + 1, LANE + 2];

async function offerTo(tenant: ReturnType<typeof makeTenant>, headers = {}) {
  const lane = createFakeLane();
  lane.deliveries.append(makeHeaders({ slots: ENDPOINTS, extra: { ph_bounces: '2', ...headers } }));
  const owner = ownLane(lane, { tenant });
  owner.deliveries.pump(1);
  const elsewhere = [...lane.elsewhere];
  const wasDone = owner.deliveries.isDone(0);
  for (const move of owner.produced.splice(0)) move.acknowledge();
  await settled();
  return { owner, elsewhere, wasDone };
}

test('slots on a lane that is none of their tenant move to the lanes that are, and are complete when they are there', async () => {
  const { owner, elsewhere, wasDone } = await offerTo(makeTenant([], { lanes: [FIRST, SECOND] }));
  const expected = [FIRST, SECOND].map((lane) =>
    ENDPOINTS.filter((id) => laneOf(id, [FIRST, SECOND]) === lane),
  );
  const moved = elsewhere.toSorted((a, b) => a.partition - b.partition);
  expect(moved.map(({ partition }) => partition)).toEqual([FIRST, SECOND]);
  expect(moved.map(({ headers }) => headers.ph_slots!.split(','))).toEqual(expected);
  expect(moved[0]!.headers).toMatchObject({ ph_lane: String(FIRST), ph_bounces: '2', ph_attempt: '1' });
  expect(moved[0]!.topic).toBe('deliveries');
  expect([wasDone, owner.deliveries.isDone(0)]).toEqual([false, true]);
  expect(owner.begin()).toBeNull();
});

test.each([
  ['drains', { lanes: [FIRST], drainingLanes: [LANE] }],
  ['is one of several', { lanes: [FIRST, LANE] }],
  ['is unknown to a configuration that is older than the event', { lanes: [FIRST], revision: 4 }],
])('a lane that %s keeps what it has', async (_what, over) => {
  const { owner, elsewhere } = await offerTo(makeTenant([], over));
  expect(elsewhere).toEqual([]);
  expect(owner.begin()).not.toBeNull();
});

test('what a newer configuration has put on a lane stays there, or two workers would send it to and fro', async () => {
  const { elsewhere } = await offerTo(makeTenant([], { lanes: [FIRST], revision: 9 }));
  const { headers } = elsewhere[0]!;
  const older = await offerTo(makeTenant([], { lanes: [SECOND], revision: 8 }), headers);
  expect(older.elsewhere).toEqual([]);
  expect(older.owner.begin()).not.toBeNull();
  const newer = await offerTo(makeTenant([], { lanes: [SECOND], revision: 10 }), headers);
  expect(newer.elsewhere).toHaveLength(1);
});
