import { setTimeout as delay } from 'node:timers/promises';
import type { Kind } from '../oracle/ledgers.ts';
import type { Member } from '../rig/start-fleet.ts';
import type { Rig } from '../rig/start-rig.ts';

export interface Restart {
  readonly name: string;
  readonly exitCode: number | null;
  readonly drainMs: number;
}

const BETWEEN_MS = 1_500;

interface Stoppable {
  readonly name: string;
  /** Members answer their exit code. */
  stop(): Promise<unknown>;
  start(): Promise<void>;
}

/** SIGTERM of every service, one after the other, each started again at once. */
export async function restartServices(rig: Rig): Promise<Restart[]> {
  const restarts: Restart[] = [];
  for (const member of rig.fleet.members()) restarts.push(await restartMember(rig, member));
  return restarts;
}

/** SIGTERM, and a start by what the member says of itself by then. */
export const restartMember = (rig: Rig, member: Member): Promise<Restart> =>
  restart(rig, member.service, member);

/** An orderly stop of every broker and of Postgres, one after the other. */
export async function restartInfra(rig: Rig): Promise<Restart[]> {
  const restarts: Restart[] = [];
  for (const broker of rig.infra.brokers) restarts.push(await restart(rig, 'broker', broker));
  restarts.push(await restart(rig, 'postgres', rig.infra.postgres));
  return restarts;
}

async function restart(rig: Rig, kind: Kind, target: Stoppable): Promise<Restart> {
  const fault = rig.harm(kind, target.name, 'SIGTERM', true);
  const startedMs = performance.now();
  const ended = await target.stop();
  const exitCode = typeof ended === 'number' ? ended : null;
  const drainMs = performance.now() - startedMs;
  await target.start();
  rig.heal(fault);
  await delay(BETWEEN_MS);
  return { name: target.name, exitCode, drainMs };
}
