import { execFile } from 'node:child_process';
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { nowMs } from '../now.ts';
import { startInfra } from '../rig/start-infra.ts';
import type { Finding, Scenario, World } from './scenario.ts';
import { runUnderLoad } from './under-load.ts';

const run = promisify(execFile);
/** What is left to the broker or the database before it is full. */
const LEFT_BYTES = 1024 * 1024;
const FULL_MS = 12_000;

export const fillDisk: Scenario = {
  id: 'D13',
  title:
    'a full disk under broker and database stops them, and nothing accepted is lost when there is room again',
  alone: true,
  async run(world) {
    const dir = join(world.infra.dir, 'small-disk');
    await mkdir(dir, { recursive: true });
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=512m', 'tmpfs', dir]).then(
      () => true,
      () => false,
    );
    if (!mounted) return { figures: {}, complaints: [], skipped: 'mount is not permitted here' };
    try {
      return await runOn(world, dir);
    } finally {
      await run('umount', ['-l', dir]);
    }
  },
};

async function runOn(world: World, dir: string): Promise<Finding> {
  const infra = await startInfra(world.say, 1, dir);
  const filler = join(dir, 'filler');
  try {
    return await runUnderLoad(
      { ...world, infra },
      {
        async during(rig, notes) {
          const fault = rig.harm('broker', 'disk', 'full');
          const databaseFault = rig.harm('postgres', 'disk', 'full');
          const { bavail, bsize } = await statfs(dir);
          await writeFile(filler, Buffer.alloc(Math.max(0, bavail * bsize - LEFT_BYTES)));
          const fromMs = nowMs();
          await delay(FULL_MS);
          const refused = rig.events.sent.filter(
            ({ sentAtMs, answered }) => sentAtMs > fromMs && answered !== 'ok',
          );
          notes.figure('not_accepted_while_full', refused.length);
          await rm(filler);
          // Both end themselves when they cannot write; whoever runs them starts them again.
          await restart(infra.brokers[0]!);
          await restart(infra.postgres);
          rig.heal(fault);
          rig.heal(databaseFault);
        },
      },
    );
  } finally {
    await infra.close();
  }
}

async function restart(server: { kill(): Promise<void>; start(): Promise<void> }): Promise<void> {
  await server.kill();
  await server.start();
}
