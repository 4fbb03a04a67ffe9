import { propertyRuns } from '@posthorn/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HOST_PATIENCE_MS, SchedulerModel } from '../../test/scheduler-model.ts';
import { ENDPOINTS, scripts, TENANTS } from '../../test/scheduler-steps.ts';

const EMPTY = {
  queuedSlots: 0,
  heldBytes: 0,
  inFlight: 0,
  unsettled: 0,
  slowInFlight: 0,
  tenantsAtCap: 0,
  fullLanes: 0,
  waiting: { tenantCap: 0, endpointCap: 0, host: 0, rate: 0 },
};

test('over any sequence caps, rates and bounds hold, no slot is lost or doubled, and all counts come back to zero', () => {
  fc.assert(
    fc.property(scripts, (script) => {
      const model = new SchedulerModel({ fastSharePercent: 30, slowEndpointSharePercent: 70 });
      model.play(script);
      model.drain();
      expect(model.next()).toBeNull();
      expect(model.scheduler.stats()).toMatchObject(EMPTY);
    }),
    { numRuns: propertyRuns(40) },
  );
});

test('over any sequence nothing waits for which every cap has room', () => {
  fc.assert(
    fc.property(scripts, (script) => {
      const model = new SchedulerModel();
      model.play(script);
      if (model.paused) return;
      model.scheduler.recheckCaps(model.nowMs);
      for (let looks = 0; looks < TENANTS * ENDPOINTS; looks++) {
        while (model.next() !== null);
        model.nowMs += HOST_PATIENCE_MS;
      }
      while (model.next() !== null);
      const couldStart = model.in('queued').filter((entry) => model.whatKeeps(entry) === null);
      expect(couldStart.map(({ key }) => key)).toEqual([]);
    }),
    { numRuns: propertyRuns(40) },
  );
});
