import { setTimeout as delay } from 'node:timers/promises';
import type { Rig } from '../rig/start-rig.ts';
import { byForm } from './choose.ts';
import type { Scenario } from './scenario.ts';
import { type Notes, runUnderLoad } from './under-load.ts';

/** `terminationGracePeriodSeconds`, less what the orchestrator takes. */
const MOST_DRAIN_MS = 30_000;
const BETWEEN_MS = 1_500;

export const restartInOrder: Scenario = {
  id: 'D3',
  title: 'a rolling SIGTERM restart of every service under load loses and repeats nothing',
  run: (world) =>
    runUnderLoad(world, {
      rig: { sizes: { worker: 2, dispatcher: 2 } },
      async during(rig, notes) {
        const rounds = byForm(world, { short: 1, tenMinutes: 1, long: 4 });
        const drains: number[] = [];
        for (let round = 0; round < rounds; round++) drains.push(...(await restartAll(rig, notes)));
        notes.figure('restarts', drains.length);
        notes.figure('slowest_drain_ms', Math.max(...drains));
      },
    }),
};

async function restartAll(rig: Rig, notes: Notes): Promise<number[]> {
  const drains: number[] = [];
  for (const member of rig.fleet.members()) {
    const fault = rig.harm(member.service, member.name, 'SIGTERM', true);
    const startedMs = performance.now();
    const code = await member.stop();
    const drainMs = performance.now() - startedMs;
    notes.expect(code === 0, `${member.name} ended with ${code}`);
    notes.expect(drainMs <= MOST_DRAIN_MS, `${member.name} took ${Math.round(drainMs)} ms to stop`);
    drains.push(drainMs);
    await member.start();
    rig.heal(fault);
    await delay(BETWEEN_MS);
  }
  return drains;
}
