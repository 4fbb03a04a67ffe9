import { laneOf, MAX_SLOTS, mintEndpointId } from '@posthorn/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutIntoRecords } from './cut-into-records.ts';

const endpointIds = Array.from({ length: 300 }, (_, i) => mintEndpointId(i));

test('every endpoint is in exactly one record, of its own lane, and none has more than 64', () => {
  const lanes = fc.uniqueArray(fc.nat(15), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.nat(300), lanes, (count, given) => {
      const some = endpointIds.slice(0, count);
      const records = cutIntoRecords(some, given);
      expect(records.flatMap((each) => each.slots).sort()).toEqual(some.toSorted());
      for (const { lane, slots } of records) {
        expect(slots.length).toBeLessThanOrEqual(MAX_SLOTS);
        for (const endpointId of slots) expect(laneOf(endpointId, given)).toBe(lane);
      }
    }),
    { numRuns: 30 },
  );
});

test.each([
  [0, []],
  [1, [1]],
  [64, [64]],
  [65, [64, 1]],
  [200, [64, 64, 64, 8]],
])('%d endpoints of one lane make records of %j', (count, sizes) => {
  expect(cutIntoRecords(endpointIds.slice(0, count), [3]).map((each) => each.slots.length)).toEqual(sizes);
});
