import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Arrival } from '../oracle/ledgers.ts';
import { byForm } from './choose.ts';
import type { Scenario } from './scenario.ts';
import { runUnderLoad } from './under-load.ts';

/** Where Debian has it; another system may name it in LD_PRELOAD terms of its own, and the scenario is skipped. */
const LIBRARIES = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1',
];
const STEPS = ['+3600', '-3600', '+0', '+1800', '-60'];
/** The first wait is 250 ms, give or take 10 %; a release may be 100 ms late, and a busy machine adds to it. */
const FIRST_RETRY_MS = { least: 200, most: 1_500 };

export const shiftClocks: Scenario = {
  id: 'D15',
  title: 'a clock that is an hour wrong, and steps, moves no retry and no limit',
  async run(world) {
    const library = LIBRARIES.find((path) => existsSync(path));
    if (!library) return { figures: {}, complaints: [], skipped: 'libfaketime is not installed' };
    const file = join(world.infra.dir, 'faketime');
    const environment = {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    await writeFile(file, '+0');
    return runUnderLoad(world, {
      async during(rig, notes) {
        const services = byForm(world, {
          short: ['worker-1', 'dispatcher-1'],
          tenMinutes: ['worker-1', 'dispatcher-1', 'ingest-1'],
          long: ['worker-1', 'dispatcher-1', 'ingest-1', 'recorder-1'],
        });
        for (const name of services) {
          const member = rig.fleet.member(name);
          const restart = rig.harm(member.service, name, 'restarted under another clock', true);
          await member.stop();
          await member.start(environment);
          rig.heal(restart);
          await stepClock(file);
          const back = rig.harm(member.service, name, 'restarted under the right clock', true);
          await member.stop();
          await member.start();
          rig.heal(back);
          world.say(`  clock of ${name} stepped by ${STEPS.join(' ')} s`);
        }
        notes.figure('clock_steps', services.length * STEPS.length);
      },
      after(_rig, notes, _verdict, { arrivals }) {
        const waits = firstWaits(arrivals);
        const late = waits.filter((ms) => ms < FIRST_RETRY_MS.least || ms > FIRST_RETRY_MS.most);
        notes.figure('first_retries', waits.length);
        notes.figure('out_of_time_percent', (100 * late.length) / Math.max(1, waits.length));
        // Restarts hold some of them up.
        notes.expect(
          late.length < waits.length / 4,
          `${late.length} of ${waits.length} retries came out of time`,
        );
      },
    });
  },
};

async function stepClock(file: string): Promise<void> {
  for (const step of STEPS) {
    await writeFile(file, step);
    await delay(2_000);
  }
}

function firstWaits(arrivals: readonly Arrival[]): number[] {
  const firsts = new Map(
    arrivals.filter(({ attempt }) => attempt === 1).map((each) => [each.deliveryId, each]),
  );
  return arrivals.flatMap(({ attempt, deliveryId, atMs }) => {
    const first = attempt === 2 ? firsts.get(deliveryId) : undefined;
    return first?.answeredAtMs ? [atMs - first.answeredAtMs] : [];
  });
}
