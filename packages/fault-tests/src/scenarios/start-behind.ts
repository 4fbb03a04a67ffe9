import { setTimeout as delay } from 'node:timers/promises';
import { nowMs } from '../now.ts';
import { complaints as complaintsOf } from '../oracle/judge.ts';
import { createRoundJudge } from '../oracle/judge-round.ts';
import { makeTenants } from '../rig/make-tenants.ts';
import { watchMemory } from '../rig/memory.ts';
import { untilBacklogIsZero } from '../rig/recover.ts';
import { startRig } from '../rig/start-rig.ts';
import { byForm } from './choose.ts';
import type { Scenario } from './scenario.ts';
import { takeNotes } from './under-load.ts';

const MOST_WORKER_MB = 400;
const EVENTS_PER_SEC = 1_500;
const DRAIN_WITHIN_MS = 900_000;

export const startBehind: Scenario = {
  id: 'D24',
  title: 'a backlog that piled up while nobody delivered drains, with memory bounded',
  async run(world) {
    const events = byForm(world, { short: 5_000, tenMinutes: 15_000, long: Math.max(100_000, world.events) });
    const rig = await startRig(world.infra);
    const { notes, figures, broken } = takeNotes();
    try {
      await makeTenants(rig, 10, [{ label: 'prompt' }]);
      const judge = createRoundJudge(rig);
      const stopped = [rig.fleet.member('dispatcher-1'), rig.fleet.member('worker-1')];
      for (const member of stopped) await member.stop();
      const load = rig.events.start({ eventsPerSec: EVENTS_PER_SEC, senders: rig.senders });
      while (rig.events.sent.length < events) await delay(200);
      await load.stop();
      const startedMs = nowMs();
      const worker = watchMemory(() => rig.fleet.member('worker-1').pid);
      const dispatcher = watchMemory(() => rig.fleet.member('dispatcher-1').pid);
      for (const member of stopped) await member.start();
      const { backlogZeroMs, backlog } = await untilBacklogIsZero(rig, startedMs, DRAIN_WITHIN_MS);
      const [workerMb, dispatcherMb] = [worker.stop(), dispatcher.stop()];
      const { verdict } = await judge.judge();
      notes.figure('events', verdict.ok);
      notes.figure('drain_ms', backlogZeroMs);
      notes.figure('events_per_sec', (1_000 * verdict.ok) / (backlogZeroMs ?? Number.POSITIVE_INFINITY));
      notes.figure('worker_mb', workerMb);
      notes.figure('dispatcher_mb', dispatcherMb);
      notes.expect(backlogZeroMs !== null, `the backlog did not drain: ${JSON.stringify(backlog)}`);
      notes.expect(workerMb <= MOST_WORKER_MB, `the worker grew to ${Math.round(workerMb)} MB`);
      return { figures, complaints: [...complaintsOf(verdict), ...broken] };
    } finally {
      await rig.close();
    }
  },
};
