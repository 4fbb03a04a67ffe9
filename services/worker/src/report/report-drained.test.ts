import type { JournalEntry } from '@posthorn/contracts';
import { createLogger } from '@posthorn/runtime';
import { createFakeClock } from '@posthorn/testkit';
import { expect, test } from 'vitest';
import { createDrainReport, type DrainingTenant, LEAST_DRAIN_MS, REPORT_AGAIN_MS } from './report-drained.ts';

function setup() {
  const clock = createFakeClock();
  const entries: JournalEntry[] = [];
  const world = {
    draining: [{ tenantId: 'acme', drainingLanes: [3], lanesRevision: 7 }] as DrainingTenant[],
    drained: true,
    broker: true,
  };
  const look = createDrainReport({
    clock,
    log: createLogger('worker', 'silent'),
    listDraining: async () => world.draining,
    isDrained: () => world.drained,
    async journal(entry) {
      if (!world.broker) throw new Error('no broker');
      entries.push(entry);
    },
  });
  return {
    world,
    async lookAfter(ms: number) {
      clock.advance(ms);
      await look();
      return entries.splice(0);
    },
  };
}

test('a lane is reported as drained when the change is old enough and nothing is left in it', async () => {
  const { world, lookAfter } = setup();
  world.drained = false;
  expect(await lookAfter(0)).toEqual([]);
  expect(await lookAfter(LEAST_DRAIN_MS - 1)).toEqual([]);
  expect(await lookAfter(10)).toEqual([]);
  world.drained = true;
  expect(await lookAfter(10)).toMatchObject([
    { kind: 'lane_drained', tenantId: 'acme', lane: 3, revision: 7 },
  ]);
});

test('a report is said again while the lane still drains, but not at every look', async () => {
  const { world, lookAfter } = setup();
  await lookAfter(0);
  expect(await lookAfter(LEAST_DRAIN_MS)).toHaveLength(1);
  expect(await lookAfter(1_000)).toEqual([]);
  expect(await lookAfter(REPORT_AGAIN_MS)).toHaveLength(1);
  world.broker = false;
  expect(await lookAfter(REPORT_AGAIN_MS)).toEqual([]);
  world.broker = true;
  expect(await lookAfter(1_000)).toHaveLength(1);
});

test('another change of lanes begins the waiting anew', async () => {
  const { world, lookAfter } = setup();
  await lookAfter(0);
  world.draining = [{ tenantId: 'acme', drainingLanes: [3], lanesRevision: 8 }];
  expect(await lookAfter(LEAST_DRAIN_MS)).toEqual([]);
  expect(await lookAfter(LEAST_DRAIN_MS)).toMatchObject([{ revision: 8 }]);
});
