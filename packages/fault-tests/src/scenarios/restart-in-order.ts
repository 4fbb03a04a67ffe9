import { type Restart, restartServices } from '../plan/restart-all.ts';
import { byForm } from './choose.ts';
import type { Scenario } from './scenario.ts';
import { type Notes, runUnderLoad } from './under-load.ts';

/** `terminationGracePeriodSeconds`, less what the orchestrator takes. */
const MOST_DRAIN_MS = 30_000;

export const restartInOrder: Scenario = {
  id: 'D3',
  title: 'a rolling SIGTERM restart of every service under load loses and repeats nothing',
  run: (world) =>
    runUnderLoad(world, {
      rig: { sizes: { worker: 2, dispatcher: 2 } },
      async during(rig, notes) {
        const rounds = byForm(world, { short: 1, tenMinutes: 1, long: 4 });
        const restarts: Restart[] = [];
        for (let round = 0; round < rounds; round++) restarts.push(...(await restartServices(rig)));
        for (const each of restarts) expectOrderly(notes, each);
        notes.figure('restarts', restarts.length);
        notes.figure('slowest_drain_ms', Math.max(...restarts.map(({ drainMs }) => drainMs)));
      },
    }),
};

export function expectOrderly(notes: Notes, { name, exitCode, drainMs }: Restart): void {
  notes.expect(exitCode === 0, `${name} ended with ${exitCode}`);
  notes.expect(drainMs <= MOST_DRAIN_MS, `${name} took ${Math.round(drainMs)} ms to stop`);
}
