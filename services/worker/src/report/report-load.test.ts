import type { LoadEntry } from '@posthorn/contracts';
import { createFakeClock } from '@posthorn/testkit';
import { expect, test } from 'vitest';
import type { TenantLoad } from '../schedule/scheduler.ts';
import { createLoadReport, MAX_REPORTED_TENANTS } from './report-load.ts';

function setup() {
  const entries: LoadEntry[] = [];
  const world = { loads: [] as TenantLoad[], passedOver: [] as [string, number][] };
  const report = createLoadReport({
    workerId: 'w1',
    clock: createFakeClock(),
    loads: () => world.loads,
    passedOver: () => world.passedOver,
    journal: async (entry) => void entries.push(entry as LoadEntry),
  });
  return {
    world,
    report() {
      report();
      return entries.splice(0);
    },
  };
}

const load = (tenantId: string, inFlight: number, queued: number, lane = 1): TenantLoad => ({
  tenantId,
  lane,
  inFlight,
  queued,
  settling: 0,
});

test('a tenant is reported over all lanes, as long as it has something and once when it has nothing', () => {
  const { world, report } = setup();
  world.loads = [load('acme', 2, 5, 1), load('acme', 1, 0, 2)];
  expect(report()).toMatchObject([
    { kind: 'load', tenantId: 'acme', workerId: 'w1', inFlight: 3, queued: 5 },
  ]);
  expect(report()).toHaveLength(1);
  world.loads = [];
  expect(report()).toMatchObject([{ tenantId: 'acme', inFlight: 0, queued: 0 }]);
  expect(report()).toEqual([]);
});

test('what waits in the overflow of any lane is reported, also where nothing else is left', () => {
  const { world, report } = setup();
  world.loads = [load('acme', 2, 5)];
  world.passedOver = [
    ['acme', 40],
    ['globex', 7],
    ['acme', 2],
    ['initech', 0],
  ];
  expect(report()).toMatchObject([
    { tenantId: 'acme', queued: 5, overflow: 42 },
    { tenantId: 'globex', inFlight: 0, queued: 0, overflow: 7 },
  ]);
  world.passedOver = [];
  expect(report()).toMatchObject([
    { tenantId: 'acme', overflow: 0 },
    { tenantId: 'globex', overflow: 0 },
  ]);
  expect(report()).toMatchObject([{ tenantId: 'acme' }]);
});

test('what is only settling loads nobody', () => {
  const { world, report } = setup();
  world.loads = [{ ...load('acme', 0, 0), settling: 3 }];
  expect(report()).toEqual([]);
});

test('more tenants than a report takes have their turns', () => {
  const { world, report } = setup();
  world.loads = Array.from({ length: MAX_REPORTED_TENANTS + 10 }, (_, i) => load(`t${i}`, 1, 0));
  const first = report();
  expect(first).toHaveLength(MAX_REPORTED_TENANTS);
  const seen = new Set([...first, ...report()].map(({ tenantId }) => tenantId));
  expect(seen.size).toBe(MAX_REPORTED_TENANTS + 10);
});
