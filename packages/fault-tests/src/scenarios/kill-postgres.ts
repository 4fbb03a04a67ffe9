import { setTimeout as delay } from 'node:timers/promises';
import { nowMs } from '../now.ts';
import { byForm } from './choose.ts';
import type { Scenario } from './scenario.ts';
import { runUnderLoad } from './under-load.ts';

/** Retries and the age of connections take some; the rest goes on as if nothing were. */
const LEAST_ACCEPTED_PERCENT = 98;

export const killPostgres: Scenario = {
  id: 'D11',
  title: 'with Postgres dead events of cached tenants are accepted and delivered, and the record catches up',
  run: (world) =>
    runUnderLoad(world, {
      async during(rig, notes) {
        const { postgres } = rig.infra;
        const fault = rig.harm('postgres', postgres.name, 'SIGKILL');
        await postgres.kill();
        await delay(byForm(world, { short: 15_000, tenMinutes: 20_000, long: 60_000 }));
        const goneUntilMs = nowMs();
        await postgres.start();
        rig.heal(fault);
        const within = (atMs: number) => atMs >= fault.fromMs && atMs <= goneUntilMs;
        const sent = rig.events.sent.filter(({ sentAtMs }) => within(sentAtMs));
        const accepted = sent.filter(({ answered }) => answered === 'ok').length;
        const arrived = (await rig.receiver.arrivals()).filter(({ atMs }) => within(atMs)).length;
        const percent = (100 * accepted) / sent.length;
        notes.figure('accepted_meanwhile_percent', percent);
        notes.figure('arrived_meanwhile', arrived);
        notes.expect(
          percent >= LEAST_ACCEPTED_PERCENT,
          `only ${Math.round(percent)} % were accepted meanwhile`,
        );
        notes.expect(arrived >= accepted, `${arrived} arrived of ${accepted} events accepted meanwhile`);
      },
    }),
};
