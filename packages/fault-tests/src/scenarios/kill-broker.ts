import { setTimeout as delay } from 'node:timers/promises';
import { expectAnswers } from './expect-answers.ts';
import type { Scenario } from './scenario.ts';
import { runUnderLoad } from './under-load.ts';

const DOWN_MS = 10_000;

export const killBroker: Scenario = {
  id: 'D6',
  title: 'with the broker dead for 10 s every event is answered in time, and what was accepted survives',
  run: (world) =>
    runUnderLoad(world, {
      async during(rig, notes) {
        const broker = rig.infra.brokers[0]!;
        const fault = rig.harm('broker', broker.name, 'SIGKILL');
        await broker.kill();
        await delay(DOWN_MS);
        await broker.start();
        rig.heal(fault);
        await expectAnswers(rig, notes, fault.fromMs, fault.untilMs);
      },
    }),
};
