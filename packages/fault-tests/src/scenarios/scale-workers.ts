import { setTimeout as delay } from 'node:timers/promises';
import { nowMs } from '../now.ts';
import type { Arrival } from '../oracle/ledgers.ts';
import { byForm } from './choose.ts';
import type { Scenario } from './scenario.ts';
import { runUnderLoad } from './under-load.ts';

const MOST_WORKERS = 3;

export const scaleWorkers: Scenario = {
  id: 'D5',
  title: 'workers that come and go every few seconds lose and repeat nothing',
  run: (world) =>
    runUnderLoad(world, {
      async during(rig, notes) {
        const changes = byForm(world, { short: 4, tenMinutes: 6, long: 24 });
        const fromMs = nowMs();
        for (let change = 0; change < changes; change++) {
          const up = rig.fleet.members('worker').filter((member) => member.up);
          const grows = up.length === 1 || (up.length < MOST_WORKERS && world.random.next() < 0.5);
          const resting = rig.fleet.members('worker').find((member) => !member.up);
          const target = grows ? (resting?.name ?? 'a new worker') : up.at(-1)!.name;
          const fault = rig.harm('worker', target, grows ? 'started' : 'SIGTERM', true);
          if (!grows) notes.expect((await up.at(-1)!.stop()) === 0, `${target} did not end with 0`);
          else if (resting) await resting.start();
          else await rig.fleet.add('worker');
          rig.heal(fault);
          await delay(world.random.between(2_000, 5_000));
        }
        const stalls = stallsOf(await rig.receiver.arrivals(), fromMs, nowMs());
        notes.figure('rebalances', changes);
        notes.figure('longest_stall_ms', stalls.at(-1) ?? 0);
        notes.figure('stalls_over_1s', stalls.filter((ms) => ms > 1_000).length);
      },
    }),
};

/** Times without any arrival, the longest last. */
function stallsOf(arrivals: readonly Arrival[], fromMs: number, untilMs: number): number[] {
  const times = arrivals.map(({ atMs }) => atMs).filter((atMs) => atMs >= fromMs && atMs <= untilMs);
  return times
    .slice(1)
    .map((atMs, index) => atMs - times[index]!)
    .sort((a, b) => a - b);
}
