import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import type { Rig } from '../rig/start-rig.ts';
import { byForm } from './choose.ts';
import type { Scenario } from './scenario.ts';
import { runUnderLoad } from './under-load.ts';

const SLOW_MS = 2_000;
const MEMBERS = ['ingest-1', 'dispatcher-1', 'worker-1', 'recorder-1'];

export const slowPostgres: Scenario = {
  id: 'D12',
  title:
    'a slow Postgres, locked tables, one connection a pool and connections that break hold back, and lose nothing',
  run: (world) =>
    runUnderLoad(world, {
      rig: { proxied: true, environment: { DATABASE_POOL: '1', DATABASE_LOOKUP_POOL: '1' } },
      async during(rig, notes) {
        const lengthMs = byForm(world, { short: 8_000, tenMinutes: 8_000, long: 30_000 });
        const slow = rig.harm('postgres', 'postgres', `answers ${SLOW_MS} ms late`);
        const links = MEMBERS.map((member) => rig.links.of(member).postgres);
        for (const link of links) link.delay(SLOW_MS, 'from-target');
        await delay(lengthMs);
        for (const link of links) link.heal();
        rig.heal(slow);
        const locked = rig.harm('postgres', 'postgres', 'record tables locked, connections ended');
        const ended = await lockAndEnd(rig, lengthMs);
        rig.heal(locked);
        notes.figure('connections_ended', ended);
        notes.expect(ended > 0, 'no connection of the recorder was there to be ended');
      },
    }),
};

/** Transactions of the recorder wait for the lock, and are ended in the middle. */
async function lockAndEnd(rig: Rig, lengthMs: number): Promise<number> {
  const sql = postgres(rig.databaseUrl, { max: 2, onnotice: () => {} });
  let ended = 0;
  const deadline = performance.now() + lengthMs;
  try {
    await sql.begin(async (transaction) => {
      await transaction`lock table deliveries, attempts in exclusive mode`;
      while (performance.now() < deadline) {
        await delay(1_000);
        const rows = await sql<{ pid: number }[]>`
          select pid, pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name like '%recorder%'`;
        ended += rows.length;
      }
    });
    return ended;
  } finally {
    await sql.end();
  }
}
