import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mintEndpointId } from './ids.ts';
import { laneOf, OPERATIONAL_LANE, pinLanes, tenantPartition } from './lanes.ts';

const tenant = fc.stringMatching(/^[a-z0-9]{1,20}$/);
const lanes = fc.uniqueArray(fc.integer({ min: 0, max: 63 }), { minLength: 1, maxLength: 8 });
const endpointIds = Array.from({ length: 1_000 }, (_, i) => mintEndpointId(i));

test('a tenant has one partition of a topic, within its bounds, always the same', () => {
  fc.assert(
    fc.property(tenant, fc.integer({ min: 1, max: 256 }), (id, partitions) => {
      const partition = tenantPartition(id, partitions);
      return partition >= 0 && partition < partitions && partition === tenantPartition(id, partitions);
    }),
  );
});

test('the partition of a tenant is kept from release to release: its records are where they were', () => {
  expect(['acme', 'globex', 'tenant-1', 'tenant-2'].map((id) => tenantPartition(id, 8))).toEqual([
    2, 6, 4, 5,
  ]);
});

test('tenants spread over all partitions', () => {
  const used = new Set(Array.from({ length: 1_000 }, (_, i) => tenantPartition(`tenant-${i}`, 64)));
  expect(used.size).toBe(64);
});

test('a tenant is pinned to as many different lanes as asked for, never to that of operational events while there is another', () => {
  fc.assert(
    fc.property(
      tenant,
      fc.integer({ min: 1, max: 64 }),
      fc.integer({ min: 1, max: 80 }),
      (id, partitions, count) => {
        const pinned = pinLanes(id, partitions, count);
        expect(new Set(pinned).size).toBe(Math.min(count, Math.max(1, partitions - 1)));
        for (const lane of pinned) expect(lane).toBeLessThan(partitions);
        expect(pinned.includes(OPERATIONAL_LANE)).toBe(partitions === 1);
      },
    ),
  );
});

test("an endpoint's lane is one of its tenant's, in whatever order these are named", () => {
  fc.assert(
    fc.property(lanes, fc.nat(999), (given, i) => {
      const endpointId = endpointIds[i]!;
      const lane = laneOf(endpointId, given);
      return given.includes(lane) && lane === laneOf(endpointId, given.toReversed());
    }),
  );
});

test('a lane more moves only the endpoints that go to it', () => {
  fc.assert(
    fc.property(lanes, fc.integer({ min: 64, max: 70 }), fc.nat(999), (given, added, i) => {
      const endpointId = endpointIds[i]!;
      const after = laneOf(endpointId, [...given, added]);
      return after === added || after === laneOf(endpointId, given);
    }),
  );
});

test('endpoints spread evenly over four lanes', () => {
  const counts = new Map<number, number>();
  for (const id of endpointIds) {
    const lane = laneOf(id, [3, 5, 9, 12]);
    counts.set(lane, (counts.get(lane) ?? 0) + 1);
  }
  for (const count of counts.values()) expect(Math.abs(count - 250)).toBeLessThan(80);
});
