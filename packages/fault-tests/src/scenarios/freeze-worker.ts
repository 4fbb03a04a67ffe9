import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from './scenario.ts';
import { runUnderLoad } from './under-load.ts';

/** Past the session time-out of 10 s, so that others own its lanes when it wakes. */
const FROZEN_MS = 14_000;
const AWAKE_MS = 5_000;

export const freezeWorker: Scenario = {
  id: 'D4',
  title: 'a worker frozen past its session changes nothing when it wakes',
  run: (world) =>
    runUnderLoad(world, {
      rig: { sizes: { worker: 2 } },
      async during(rig) {
        const worker = rig.fleet.member('worker-1');
        const fault = rig.harm('worker', worker.name, 'SIGSTOP');
        worker.signal('SIGSTOP');
        await delay(FROZEN_MS);
        worker.signal('SIGCONT');
        rig.heal(fault);
        await delay(AWAKE_MS);
      },
    }),
};
