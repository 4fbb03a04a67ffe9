import { setTimeout as delay } from 'node:timers/promises';
import type { Server } from '../rig/server.ts';
import type { Member } from '../rig/start-fleet.ts';
import type { Rig } from '../rig/start-rig.ts';
import type { Killed, PlannedKill } from './draw-kills.ts';

type Victim = { readonly name: string; kill(): Promise<void>; start(): Promise<void> };

const UP_AGAIN_WITHIN_MS = 200_000;

/** Kills as planned, each started again after its time; kills of different processes overlap. */
export async function runKills(
  rig: Rig,
  kills: readonly PlannedKill[],
  tell: (kill: PlannedKill, victim: string) => void,
): Promise<void> {
  const down = new Set<string>();
  const recoveries: Promise<void>[] = [];
  let failure: unknown;
  for (const kill of kills) {
    await delay(kill.afterMs);
    const victim = await chooseVictim(rig, kill, down);
    tell(kill, victim.name);
    down.add(victim.name);
    const recovery = killOnce(rig, kill, victim)
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => down.delete(victim.name));
    recoveries.push(recovery);
    if (failure !== undefined) break;
  }
  await Promise.all(recoveries);
  if (failure !== undefined) throw failure;
}

async function killOnce(rig: Rig, { kind, downMs }: PlannedKill, victim: Victim): Promise<void> {
  const fault = rig.harm(kind, victim.name, 'SIGKILL');
  await victim.kill();
  await delay(downMs);
  await victim.start();
  rig.heal(fault);
}

/** One that is up: a process that is down cannot be killed. */
async function chooseVictim(
  rig: Rig,
  { kind, which }: PlannedKill,
  down: ReadonlySet<string>,
): Promise<Victim> {
  const deadline = performance.now() + UP_AGAIN_WITHIN_MS;
  for (;;) {
    const up = victimsOf(rig, kind).filter(({ name }) => !down.has(name));
    if (up.length > 0) return up[Math.floor(which * up.length)]!;
    if (performance.now() > deadline) throw new Error(`no ${kind} has been up for ${UP_AGAIN_WITHIN_MS} ms`);
    await delay(50);
  }
}

function victimsOf(rig: Rig, kind: Killed): readonly (Member | Server)[] {
  if (kind === 'broker') return rig.infra.brokers;
  if (kind === 'postgres') return [rig.infra.postgres];
  return rig.fleet.members(kind).filter(({ up }) => up);
}
