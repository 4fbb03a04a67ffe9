import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { databaseUrl, kafkaBrokers } from '@posthorn/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  complaints,
  drainAndJudge,
  type Ground,
  type Member,
  MIXED,
  makeTenants,
  type Rig,
  startRig,
} from '../src/index.ts';

/** Beside the other system tests a worker may wait for its turn of the processor, with an outcome that is not told yet. */
const SETTLE_MS = 5_000;

let rig: Rig<Ground>;
let dir: string;

/** The pair that all tests of a run share is nobody's to kill: what is killed here are the services. */
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'posthorn-faults-'));
  const ground = {
    addresses: kafkaBrokers(),
    listeners: [],
    dir,
    onSpawn: () => {},
    createDatabase: databaseUrl,
  };
  rig = await startRig(ground);
});

afterAll(async () => {
  await rig?.close();
  await rm(dir, { recursive: true, force: true });
});

/** Resolves when it is dead, with what waits until it is back. */
async function killAndRestart(member: Member): Promise<{ readonly back: Promise<void> }> {
  const fault = rig.harm(member.service, member.name, 'SIGKILL');
  await member.kill();
  return { back: member.start().then(() => rig.heal(fault)) };
}

test('a SIGKILL of each service under load loses nothing, and repeats no more than it found under way', async () => {
  await makeTenants(rig, 2, MIXED);
  const load = rig.events.start({ eventsPerSec: 40, senders: rig.senders });
  await rig.receiver.waitForCount(50);

  const restarts: Promise<void>[] = [];
  for (const member of rig.fleet.members()) {
    const { back } = await killAndRestart(member);
    restarts.push(back);
  }
  await Promise.all(restarts);
  await load.stop();

  const { verdict, drainMs } = await drainAndJudge(rig, SETTLE_MS);
  expect(complaints(verdict)).toEqual([]);
  expect(verdict.ok).toBeGreaterThan(50);
  expect(drainMs).toBeLessThan(60_000);
});
