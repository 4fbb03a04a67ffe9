import { setTimeout as delay } from 'node:timers/promises';
import { watchMemory } from '../rig/memory.ts';
import { byForm } from './choose.ts';
import { expectAnswers } from './expect-answers.ts';
import type { Scenario } from './scenario.ts';
import { runUnderLoad } from './under-load.ts';

const MOST_INGEST_MB = 300;

export const freezeBroker: Scenario = {
  id: 'D7',
  title: 'with the broker frozen ingest is bounded in memory and time, and recovers by itself',
  run: (world) =>
    runUnderLoad(world, {
      async during(rig, notes) {
        const broker = rig.infra.brokers[0]!;
        const memory = watchMemory(() => rig.fleet.member('ingest-1').pid);
        const fault = rig.harm('broker', broker.name, 'SIGSTOP');
        broker.signal('SIGSTOP');
        await delay(byForm(world, { short: 15_000, tenMinutes: 20_000, long: 60_000 }));
        broker.signal('SIGCONT');
        rig.heal(fault);
        await expectAnswers(rig, notes, fault.fromMs, fault.untilMs - 1_000);
        const most = memory.stop();
        notes.figure('ingest_mb', most);
        notes.expect(most <= MOST_INGEST_MB, `ingest grew to ${Math.round(most)} MB`);
      },
    }),
};
