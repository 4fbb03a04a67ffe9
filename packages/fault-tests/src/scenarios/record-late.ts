import { setTimeout as delay } from 'node:timers/promises';
import { byForm } from './choose.ts';
import type { Scenario } from './scenario.ts';
import { runUnderLoad } from './under-load.ts';

export const recordLate: Scenario = {
  id: 'D16',
  title: 'retries that are due before their event has a row lose nothing, and the rows are right in the end',
  run: (world) =>
    runUnderLoad(world, {
      rig: { environment: { RETRY_SCHEDULE: '250ms,1s' } },
      endpoints: [
        { label: 'prompt' },
        { label: 'flaky', behaviour: { failFirstPercent: 20 } },
        { label: 'broken', behaviour: { failAttempts: 99 }, eventTypes: ['load.broken'] },
      ],
      async during(rig, notes) {
        const recorder = rig.fleet.member('recorder-1');
        const fault = rig.harm('recorder', recorder.name, 'SIGSTOP');
        recorder.signal('SIGSTOP');
        const broken = await Promise.all(
          Array.from({ length: 5 }, () => rig.events.post(rig.senders[0]!, 'load.broken')),
        );
        await delay(byForm(world, { short: 13_000, tenMinutes: 13_000, long: 30_000 }));
        const retried = (await rig.receiver.arrivals()).filter(
          ({ attempt, atMs }) => attempt > 1 && atMs > fault.fromMs,
        );
        recorder.signal('SIGCONT');
        rig.heal(fault);
        notes.figure('retries_before_their_row', retried.length);
        notes.expect(retried.length > 0, 'no retry was made while the recorder was away');
        notes.expect(
          broken.every(({ answered }) => answered === 'ok'),
          'an event was not accepted',
        );
      },
      after(_rig, notes, verdict, { deliveries }) {
        const failed = deliveries.filter(({ state }) => state === 'failed').length;
        notes.figure('dead_letters', failed);
        notes.expect(failed === 5, `${failed} deliveries stand as failed, not 5`);
        notes.expect(verdict.repeats.all === 0, `${verdict.repeats.all} duplicates`);
      },
    }),
};
